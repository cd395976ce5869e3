"""Tests of the server, through real processes and sockets."""
