"""One stream: its request body, its processing and its response."""
