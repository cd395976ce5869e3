"""Prove an installed forstcore: stream records through its server, away from any checkout.

Run it with the Python of the environment to prove. It needs nothing but that environment: no
compiler, no test tools, no source.
"""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import forstcore

RECORDS = b"".join(b'{"id":"%d","data":"a"}\n' % number for number in range(1000))


def main() -> None:
    """Start the server, stream, compare, stop."""
    home = Path(forstcore.__file__)
    if Path(sys.prefix) not in home.parents:
        sys.exit(f"this is the forstcore of {home.parent}, not an installed one")
    with subprocess.Popen(
        [sys.executable, "-m", "server", "--port", "0", "--no-access-log"],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        found = re.search(r"http://\S+", line := server.stdout.readline())
        if found is None:
            sys.exit(f"the server did not start: {line}")
        request = urllib.request.Request(f"{found[0]}/streaming-process", RECORDS, method="POST")
        with urllib.request.urlopen(request, timeout=60) as response:
            results = response.read()
        server.terminate()
    if results != forstcore.process_block(RECORDS) or results.count(b"\n") != 1000:
        sys.exit("the results are not those of the core")
    print(f"{home.parent}: forstcore {forstcore.__version__} streams; exit {server.returncode}")
    sys.exit(server.returncode)


if __name__ == "__main__":
    main()
