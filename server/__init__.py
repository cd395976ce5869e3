"""The HTTP server of forstcore: it moves bytes between connections and the core."""
