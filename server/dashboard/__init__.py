"""The dashboard: what the server does right now, for a browser at `GET /`."""

from server.dashboard.routes import add_dashboard

__all__ = ["add_dashboard"]
