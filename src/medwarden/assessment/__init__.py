"""Floor 3: the assessment of a network: what was seen, what it means, what was not visible."""
