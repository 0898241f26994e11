"""Fingerprints: readable rules that turn what a device says into labels, with their own examples as tests.

The YAML files beside this module hold lists of rules; :mod:`~medwarden.knowledge.fingerprints.rules` says
what a rule looks like, :mod:`~medwarden.knowledge.fingerprints.index` applies them.
"""
