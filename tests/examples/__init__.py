"""Tests of the examples: other people's clients against a real server."""
