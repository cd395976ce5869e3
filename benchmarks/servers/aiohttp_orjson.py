"""aiohttp and orjson, written well: all complete lines of a piece at once, one write for each.

It keeps the record rules that matter here: lines that are no valid record are dropped, the last
line may lack its line end, and an absent or null member reads as "".
"""

import orjson
from aiohttp import web

from benchmarks.servers import serve


def process(lines: list[bytes]) -> bytes:
    """Return the result lines of some records."""
    loads, dumps, newline = orjson.loads, orjson.dumps, orjson.OPT_APPEND_NEWLINE
    out: list[bytes] = []
    for line in lines:
        try:
            record = loads(line)
            result = {
                "id": record.get("id") or "",
                "result": "processed_" + (record.get("data") or ""),
                "status": "success",
            }
        except (ValueError, TypeError, AttributeError):
            continue
        out.append(dumps(result, option=newline))
    return b"".join(out)


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer each piece of the body with the results of the lines it completes."""
    response = await serve.open_response(request)
    # Keep an unfinished line in pieces, to avoid copying a long one for each piece.
    unfinished: list[bytes] = []
    async for piece in request.content.iter_any():
        lines = piece.split(b"\n")
        unfinished.append(lines[0])
        if len(lines) == 1:
            continue
        lines[0] = b"".join(unfinished)
        unfinished = [lines.pop()]
        if results := process(lines):
            await response.write(results)
    if results := process([b"".join(unfinished)]):
        await response.write(results)
    await response.write_eof()
    return response


if __name__ == "__main__":
    serve.main(handle, "Process records with aiohttp and orjson.")
