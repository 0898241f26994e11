"""The HTTP API under /api/v1: everything the pages show, described by OpenAPI."""
