"""Beneath floor 4: the one HTTP session, TLS, retry and size caps."""
