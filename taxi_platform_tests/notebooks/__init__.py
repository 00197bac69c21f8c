"""The notebooks of ``examples/notebooks``, run as their readers run them."""
