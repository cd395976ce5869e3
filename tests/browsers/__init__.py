"""Pages of another origin in a real browser: the npm package, EventSource, WebSocket."""
