"""Floor 3, engine: from inventory, scores, findings and policies to a report for board and engineers."""

from __future__ import annotations

from medwarden.assessment.analyse import analyse
from medwarden.assessment.report_html import render_html
from medwarden.assessment.report_json import to_report
from medwarden.assessment.result import Assessment

__all__ = ["Assessment", "analyse", "render_html", "to_report"]
