"""Bring knowledge, a recall, a maker's form and a scanner's report in: ``python risk.py HOME``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.knowledge.mds2_forms import rows_2019, xlsx  # noqa: E402

from medwarden.app.demo.advisories import write_advisories  # noqa: E402
from medwarden.app.knowledge import import_files  # noqa: E402
from medwarden.app.knowledge_effect import brought, with_effect  # noqa: E402
from medwarden.app.mds2 import import_file as import_form  # noqa: E402
from medwarden.app.recall_desk import Entered, enter, notice_of  # noqa: E402
from medwarden.app.scans import import_file as import_scan  # noqa: E402
from medwarden.store.open import ensure_site, open_store  # noqa: E402

ACTOR = "user:berta"


def main(home: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_advisories(folder)
        with_effect(
            home,
            ACTOR,
            "imported",
            lambda: import_files(home, [folder], unsigned=True),
            lambda done: brought(done.feeds),
        )
        form = folder / "form.xlsx"
        form.write_bytes(xlsx({"MDS2": rows_2019({"DOC-1": "Philips", "DOC-3": "IntelliVue MX750"})}))
        import_form(home, form, actor=ACTOR)
    with open_store(home, writer=True, role="test"):
        tenant, _ = ensure_site()
        notice = Entered(
            title="Space pumps may stop",
            maker="B. Braun",
            product="Infusomat Space",
            number="FSN-1",
            recall_class="I",
            reason="The drive may stop.",
            action="Return the pump.",
            begun="2026-01-02",
        )
        enter(tenant, notice_of(notice), actor=ACTOR, reason="the maker's letter")
    import_scan(home, ROOT / "tests/sensors/scans/cases/nessus/credentialed.nessus", actor=ACTOR)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
