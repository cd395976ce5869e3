"""An audit of client, proxy and server: each result once and in order, whatever fails."""
