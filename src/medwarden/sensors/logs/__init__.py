"""Log sensors: one module per source of records; :mod:`medwarden.sensors.logs.registry` finds them."""
