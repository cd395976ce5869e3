import sys

if __name__ == "__main__":
    from os.path import dirname, realpath  # Loaded already, so nothing can hide it.

    _root = dirname(dirname(realpath(__file__)))  # noqa: PTH120
    # Python puts the working directory first, where any file could hide a module of the standard
    # library. It stays if it is the one that contains the package.
    if not sys.flags.safe_path and realpath(sys.path[0]) != _root:
        del sys.path[0]
    from forstcore.cli import main

    raise SystemExit(main())
