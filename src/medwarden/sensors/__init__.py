"""Floor 4: where packets and log records come from, one file per sensor."""
