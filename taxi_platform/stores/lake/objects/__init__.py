"""Whole objects in a folder or a bucket, whatever they mean.

Belongs here: one store a module (``model`` says what each can do and opens it). Does not: the lake's layout.
"""
