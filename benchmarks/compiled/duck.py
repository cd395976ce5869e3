"""The job as a query of DuckDB: `python -m benchmarks.compiled.duck IN OUT`."""

import importlib
import sys
from typing import Final

from benchmarks.compiled.routes import COUNTRIES, LOWEST

_QUERY: Final = """
COPY (
    SELECT ts AS time, id AS trace, request.method AS method,
        CASE WHEN route = '' THEN '/' ELSE route END AS route,
        response.status AS status,
        CAST(round_even((request."end" - request.start) * 1000, 0) AS BIGINT) AS ms,
        coalesce(map($codes, $names)[client.country], 'Unknown') AS country, client.city AS city
    FROM (
        SELECT *, regexp_replace(
            regexp_replace(rtrim(lower(split_part(request.path, '?', 1)), '/'),
                '/[0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}\\b',
                '/:uuid', 'g'),
            '/[0-9]+\\b', '/:id', 'g') AS route
        FROM read_json($source, format = 'newline_delimited', columns = {{
            ts: 'VARCHAR', id: 'VARCHAR',
            request: 'STRUCT(method VARCHAR, path VARCHAR, start DOUBLE, "end" DOUBLE)',
            response: 'STRUCT(status INT)', client: 'STRUCT(country VARCHAR, city VARCHAR)'}})
        WHERE response.status >= {lowest}
    )
) TO '{target}' (FORMAT json)
"""


def main() -> None:
    """Process a file."""
    duckdb = importlib.import_module("duckdb")
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    query = _QUERY.format(lowest=LOWEST, target=sys.argv[2])
    values = {"codes": list(COUNTRIES), "names": list(COUNTRIES.values())}
    connection.execute(query, {"source": sys.argv[1], **values})


if __name__ == "__main__":
    main()
