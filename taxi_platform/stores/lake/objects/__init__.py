"""Whole objects in a folder or a bucket, whatever they contain.

Belongs here: one module for each kind of store, behind the protocol in ``model``. Does not: the lake's layout.
"""
