"""Random pipelined requests, split anywhere.

Each has to be answered as it is when it is alone, and what a strict reader of HTTP sees in the
bytes is what has to be run: no more, and no less.
"""
