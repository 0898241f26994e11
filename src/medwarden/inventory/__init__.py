"""Floor 3: evidence to devices: identity over time, attributes, labels."""
