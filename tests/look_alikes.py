"""Records that look like error lines, and processors that pass them on unchanged."""

from __future__ import annotations

__all__ = ["LOOK_ALIKES", "PROCESSORS"]

PROCESSORS = """
import forstcore

@forstcore.processor("echo")
def echo(record: dict):
    return record

@forstcore.processor("later")
async def later(record: dict):
    return record
"""
"""A module with both kinds of processors in Python: `echo` runs in threads, `later` in the loop."""

LOOK_ALIKES = [
    b'{"status":"error","line":1,"offset":0,"code":"invalid_json","message":"no"}',
    b'{"status":"error","line":"x","offset":0,"code":"invalid_json","message":"no"}',
    b'{"status":"error","line":99999,"offset":[],"code":"a","message":null}',
]
"""Valid records with the members of an error line, without LF."""
