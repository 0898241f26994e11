"""Floor 2: what is generally known, as in-memory indexes: categories, makers, fingerprints, support ends.

Every index is loaded from packaged data when first asked for and kept; nothing here reaches the network.
"""
