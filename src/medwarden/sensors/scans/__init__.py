"""Reports of vulnerability scanners, one file per form; :mod:`.registry` finds them and tells forms apart.

A module takes part by naming its class in a module-level ``READER``. All of them hold to one conformance
suite and are fuzzed. Nothing that a check printed leaves a reader but versions and update numbers.
"""

from __future__ import annotations
