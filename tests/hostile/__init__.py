"""Attacks over raw sockets on a real server."""
