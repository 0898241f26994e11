"""Floor 5: composition; the only place that knows everybody."""
