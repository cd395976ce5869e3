"""Run the server: `python -m server`, and the workers that a supervisor starts."""

import sys

if __name__ == "__main__":
    from os.path import dirname, realpath  # Loaded already, so nothing can hide it.

    _root = dirname(dirname(realpath(__file__)))  # noqa: PTH120
    # Python puts the working directory first, or that of this file, and each could hide modules of
    # the standard library. It stays if it is the one that contains the package.
    if not sys.flags.safe_path and realpath(sys.path[0]) != _root:
        del sys.path[0]
    # A project on PYTHONPATH may have a package of the same name.
    sys.path.insert(0, _root)
    import server  # noqa: F401

    del sys.path[0]
    if _root not in sys.path:
        sys.path.append(_root)
    from server.cli import main

    raise SystemExit(main())
