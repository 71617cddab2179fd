"""Planted defects: one changed place in the source of one function at a time, and who notices."""
