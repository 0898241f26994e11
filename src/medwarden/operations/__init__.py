"""Engines of running a hospital's devices: whether one is at work on a patient, and who may touch it."""
