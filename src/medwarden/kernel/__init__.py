"""Floor 0: errors, clock, identifiers, settings and the registry of members."""
