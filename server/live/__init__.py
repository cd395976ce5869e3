"""Live sources: feeds, and the subscribers that they serve."""
