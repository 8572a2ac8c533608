"""Measures on arrays: one file each, docstring, door, formula."""
