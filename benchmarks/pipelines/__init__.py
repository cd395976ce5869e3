"""Pipelines beside loops in Python that do the same."""
