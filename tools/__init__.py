"""Commands for those who work on the project: `python -m tools.docs`, `python -m tools.constraints`.

Belongs here: what writes files of the repository, and what tests, benchmarks and such commands share (``web``,
``graphql``, ``emulators``). Does not: anything an installed platform needs, and anything of the tests.
"""
