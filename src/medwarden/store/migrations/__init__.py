"""Migrations of the relational state, in order."""
