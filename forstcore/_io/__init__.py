"""Input and output: reading lines, grouping records, decompressing, writing files."""
