"""Floor 3: detection of known attacks in flows and evidence."""
