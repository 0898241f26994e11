"""Floor 3: baselines of what a device normally does."""
