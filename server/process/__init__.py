"""The process around the streams: listening sockets, signals, reloading, memory."""
