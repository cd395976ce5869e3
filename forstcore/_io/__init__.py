"""Lines and bytes on their way in and out: reading, grouping, compressing, writing files."""
