"""The report of a month: what a planner wants to see of it, on one page that needs no network.

Belongs here: reading marts (``figures``), drawing them (``charts``), the page (``page`` and its templates) and its file
(``folder``).
Does not: computing anything from trips, which is what marts are for.
"""
