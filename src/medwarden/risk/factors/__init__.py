"""Risk factors, one file per family. Each file lists its members in ``FACTORS`` and is found by itself."""
