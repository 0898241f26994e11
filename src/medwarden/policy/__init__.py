"""Floor 3: observed behaviour to least-privilege rules, and their formats."""
