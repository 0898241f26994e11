"""medwarden: identity, risk and least-privilege policy for the connected devices of a hospital."""

from __future__ import annotations

__version__ = "0.1.0"
