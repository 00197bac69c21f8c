"""The documented commands over every kind of store and source, as processes, by the documented variables."""
