"""Compiled processors, compared with the Python functions that they were compiled from."""
