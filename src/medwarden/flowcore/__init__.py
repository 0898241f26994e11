"""Floor 2: packets to flows and payload hand-offs."""

from __future__ import annotations

from medwarden.flowcore._core import (
    LIVE_COURSE,
    OVER_COURSE,
    CaptureReader,
    Course,
    FactSum,
    FlowCore,
    Router,
    Step,
    fact_columns,
)
from medwarden.flowcore.config import FlowCoreConfig
from medwarden.model.segment import Segment as Handoff

__all__ = [
    "LIVE_COURSE",
    "OVER_COURSE",
    "CaptureReader",
    "Course",
    "FactSum",
    "FlowCore",
    "FlowCoreConfig",
    "Handoff",
    "Router",
    "Step",
    "fact_columns",
]
