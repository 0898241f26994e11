"""Floor 4: policy carried out on a system the hospital owns, one file per enforcer."""
