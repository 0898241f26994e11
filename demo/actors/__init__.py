"""The hosts of the demonstration ward, one file per kind of host."""
