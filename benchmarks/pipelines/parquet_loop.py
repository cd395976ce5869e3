"""NDJSON to Parquet with pyarrow alone: `… parquet_loop IN OUT`."""

import sys

import pyarrow.json
import pyarrow.parquet


def main() -> None:
    """Convert a file."""
    table = pyarrow.json.read_json(sys.argv[1])
    pyarrow.parquet.write_table(table, sys.argv[2])


if __name__ == "__main__":
    main()
