"""What somebody adds to the package: a dataset and a store of tables, and tests that nothing else has to change.

Belongs here: the additions, as they would stand in the package, and the lines that name them. Does not: anything that
the package has.
"""
