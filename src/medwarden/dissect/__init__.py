"""Floor 2: payload bytes to evidence, one file per protocol."""
