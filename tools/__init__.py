"""Commands for those who work on the project: `python -m tools.docs`, `python -m tools.constraints`.

Belongs here: what writes files of the repository. Does not: anything an installed platform needs.
"""
