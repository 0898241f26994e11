"""The description of the API: OpenAPI as JSON, and as a page without anybody else's script."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from medwarden.web.api.v1 import api
from medwarden.web.guard import requires


@requires(None)
@require_GET
def openapi(_request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI document."""
    return JsonResponse(api.get_openapi_schema())


def _operations() -> list[tuple[str, list[dict[str, Any]]]]:
    document = api.get_openapi_schema()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answer = operation["responses"].get(200, {}).get("content", {})
            groups.setdefault(operation.get("tags", ["House"])[0], []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("summary", ""),
                    "description": operation.get("description", ""),
                    "parameters": [
                        {**p, "text": p["schema"].get("description") or _kind(p["schema"])}
                        for p in operation.get("parameters", [])
                    ],
                    "body": _fields(document, operation.get("requestBody", {}).get("content", {})),
                    "answer": _fields(document, answer),
                    "id": operation["operationId"],
                    "plain": method == "get" and "{" not in path,
                }
            )
    return list(groups.items())


def _fields(document: dict[str, Any], content: dict[str, Any]) -> list[tuple[str, str]]:
    schema = content.get("application/json", {}).get("schema", {})
    schema = schema.get("items", schema)
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    if not name:
        return []
    properties = document["components"]["schemas"][name].get("properties", {})
    return [(field, _kind(spec)) for field, spec in properties.items()]


def _kind(spec: dict[str, Any]) -> str:
    if "$ref" in spec:
        return str(spec["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in spec:
        return " or ".join(_kind(one) for one in spec["anyOf"])
    if spec.get("type") == "array":
        return f"list of {_kind(spec.get('items', {}))}"
    if "enum" in spec:
        return " | ".join(str(v) for v in spec["enum"])
    return str(spec.get("type", "any"))


@requires(None)
@require_GET
def api_docs(request: HttpRequest) -> HttpResponse:
    """Show every operation with its parameters and what it answers."""
    return render(request, "web/api_docs.html", {"groups": _operations(), "about": api.description})
