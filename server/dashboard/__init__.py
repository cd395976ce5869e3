"""The dashboard: a web page at `GET /` that shows the current activity of the server."""

from server.dashboard.routes import add_dashboard

__all__ = ["add_dashboard"]
