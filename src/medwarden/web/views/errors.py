"""Pages for what cannot be shown, in words that say what to do."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string


def _answer(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": text}, status=status)
    template = "web/part/problem.html" if request.headers.get("HX-Request") else "web/problem.html"
    return render(request, template, {"problem_title": title, "problem_text": text}, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    said = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    return _answer(request, 404, "Nothing here", said or "The address does not lead to anything you can see.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    said = str(exception) or "Your role does not include this."
    return _answer(request, 403, "Not for your role", f"{said} An administrator can change your role.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 (Django's signature)
    """Answer 400 without repeating what was sent."""
    return _answer(request, 400, "The request could not be read", "Go back and try again.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500; the defect is in the log.

    The page asks nothing of the store, which may be what does not answer: no frame, no person, no site.
    """
    text = "Nothing was changed. The log on the server says what happened."
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": text}, status=500)
    template = "web/part/problem.html" if request.headers.get("HX-Request") else "web/defect.html"
    said = render_to_string(template, {"problem_title": "A defect in medwarden", "problem_text": text})
    return HttpResponse(said, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 (Django's signature)
    """Answer a form whose token does not match, most often one left open overnight."""
    return _answer(
        request, 403, "The form is out of date", "Load the page again and send the form once more."
    )
