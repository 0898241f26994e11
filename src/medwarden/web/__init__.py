"""Floor 6: pages and HTTP API."""
