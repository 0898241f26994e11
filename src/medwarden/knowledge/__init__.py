"""Floor 2: in-memory indexes: taxonomy, address prefixes, end of support, fingerprints."""
