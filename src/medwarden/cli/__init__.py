"""Floor 6: the medwarden command."""
