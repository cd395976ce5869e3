"""The core on one thread beside its peers and plain memory access."""
