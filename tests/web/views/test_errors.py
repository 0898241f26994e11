"""The page of a defect stands without the store, which may be what does not answer."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from medwarden.web.views.errors import server_error


# No test here asks for the database: pytest-django refuses every question to it.
@pytest.mark.parametrize(
    ("path", "headers", "holds", "lacks"),
    [
        ("/risk/", {}, "<main", 'class="nav"'),
        ("/risk/", {"HX-Request": "true"}, "<section", "<html"),
        ("/api/v1/devices", {}, '"detail"', "<"),
    ],
)
def test_a_defect_is_told_without_the_store(
    path: str, headers: dict[str, str], holds: str, lacks: str
) -> None:
    answer = server_error(RequestFactory().get(path, headers=headers))
    page = answer.content.decode()
    assert answer.status_code == 500
    assert "Nothing was changed" in page
    assert holds in page
    assert lacks not in page
