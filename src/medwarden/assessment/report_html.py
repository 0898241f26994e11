"""The assessment as one HTML file: no script, no network, styles inside, readable in print and on a phone.

The content security policy of the file names the hash of its one style sheet and allows nothing else,
so that even a defect in escaping could not run or fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from medwarden.assessment import sections, sections_findings, sections_limits, sections_network
from medwarden.assessment.markup import Markup, element, join
from medwarden.assessment.result import Assessment

TITLE = "Connected device assessment"
CONTENTS = (
    ("board", "Summary"),
    ("inventory", "Inventory"),
    ("risk", "Risk"),
    ("paths", "Patient-data paths"),
    ("segmentation", "Segmentation"),
    ("findings", "Findings and fixes"),
    ("services", "Exposed services"),
    ("policy", "Proposed policy"),
    ("coverage", "Coverage"),
    ("method", "Method and limits"),
    ("appendix", "Appendix"),
)


def render_html(assessment: Assessment, *, title: str = TITLE, organisation: str = "") -> str:
    """Return the whole report as one HTML document. All text of devices and inputs is escaped."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content=f"medwarden {assessment.product_version}".strip()),
        element("title", f"{title}{f' · {organisation}' if organisation else ''}"),
        element("style", style),
    )
    contents = element(
        "nav",
        element("span", "medwarden", class_="brand"),
        element("ol", (element("li", element("a", words, href=f"#{name}")) for name, words in CONTENTS)),
        aria_label="Contents",
    )
    body = element(
        "body",
        element("a", "Skip to the report", href="#board", class_="skip"),
        element(
            "div",
            contents,
            element(
                "main",
                sections.cover(assessment, title, organisation),
                sections.inventory(assessment),
                sections.risk(assessment),
                sections.paths(assessment),
                sections_network.segmentation(assessment),
                sections_findings.findings(assessment),
                sections_network.services(assessment),
                sections_findings.policy(assessment),
                sections_limits.coverage(assessment),
                sections_limits.method(assessment),
                sections_limits.appendix(assessment),
                element(
                    "footer",
                    "Confidential: names weaknesses of a hospital network. Made on premises by "
                    "medwarden; no data left "
                    "the machine.",
                ),
            ),
            class_="page",
        ),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


@cache
def _style() -> Markup:
    """Return the style sheet: the project's own file, which holds no text from outside."""
    return join(Markup(resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")))
