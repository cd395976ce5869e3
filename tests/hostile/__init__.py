"""What strangers send who mean no good: over raw sockets, to a real server."""
