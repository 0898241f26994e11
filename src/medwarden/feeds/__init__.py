"""Floor 4: knowledge from publishers, one file per feed."""
