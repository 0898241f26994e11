"""Floor 4: third-party systems, one file per connector."""
