"""Probers: one question to one device, each only against a permit of the interlock."""
