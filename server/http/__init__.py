"""Connections: accepting them, reading requests and bodies, access, control lines."""
