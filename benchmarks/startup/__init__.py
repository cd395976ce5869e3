"""How long commands take to start, and functions to compile."""
