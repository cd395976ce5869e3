"""What each path of the HTTP API does, and how it is described."""
