"""The page of the API: every operation, its parameters and fields; the document is OpenAPI."""

from __future__ import annotations

from tests.web.conftest import ClientMaker

from medwarden.model.role import Role
from medwarden.web.api.v1 import api


def test_every_operation_is_shown(signed_in: ClientMaker) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    page = client.get("/api/").content.decode()
    operations = [
        (path, method) for path, methods in api.get_openapi_schema()["paths"].items() for method in methods
    ]
    assert len(operations) > 80
    for path, _ in operations:
        assert path in page, path


def test_the_document_is_open_api(signed_in: ClientMaker) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.")
    assert "/api/v1/devices" in document["paths"]
