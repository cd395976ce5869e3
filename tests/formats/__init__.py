"""File formats: their names, CSV, Parquet."""
