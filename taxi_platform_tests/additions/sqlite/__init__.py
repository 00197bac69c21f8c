"""SQLite: months as tables in a folder of files, one a schema.

Belongs here: what is SQLite's own (``store`` is the front, ``layer`` says how it is opened).
"""
