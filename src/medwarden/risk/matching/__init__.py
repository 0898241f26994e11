"""Matching devices with what sources say of products: names, versions, verdicts with their sentences.

Pure: nothing here reads files or a database. :class:`~medwarden.risk.matching.engine.Engine` holds the claims
of vulnerabilities and advisories and judges :class:`~medwarden.risk.matching.profile.Profile` of devices.
"""

from __future__ import annotations
