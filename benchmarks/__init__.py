"""Benchmarks of the core and of the server; see README.md beside this file."""
