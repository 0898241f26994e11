"""VEX in and out: OpenVEX 0.2, the VEX profile of CSAF 2.0, and CycloneDX 1.4 and later (reading only)."""
