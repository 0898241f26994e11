"""Floor 4: relational state (Django) and the telemetry lake (Iceberg), in one data folder."""
