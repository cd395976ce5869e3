"""One stream of a client: its connections, its frames, and what is sent again after a break."""
