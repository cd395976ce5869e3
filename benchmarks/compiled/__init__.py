"""One realistic job in Python, compiled and not, in C, Go and SQL."""
