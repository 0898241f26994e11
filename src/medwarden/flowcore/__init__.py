"""Floor 2: packets to flows and payload hand-offs; the only native code."""
