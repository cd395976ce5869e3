"""Pipelines that run in the server."""
