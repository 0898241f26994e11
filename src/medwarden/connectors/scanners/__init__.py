"""Vulnerability scanners that are asked for their reports, one file per interface.

A connector brings files; what is in them is read as if a person had brought them
(:mod:`medwarden.sensors.scans`). None starts, stops or changes a scan: devices notice nothing.
"""
