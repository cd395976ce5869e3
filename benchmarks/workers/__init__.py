"""A Python function that keeps the CPU busy, in one process and in several."""
