"""The version, on its own so that the build can read it without the compiled core."""

VERSION = "0.2.0"
