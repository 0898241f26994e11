"""Version 1 of the API, assembled from its subjects."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from medwarden import __version__
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.store.accounts import PermissionRefused
from medwarden.web.api import (
    answers,
    books,
    devices,
    equipment,
    findings,
    house,
    identity,
    kinds,
    knowledge,
    life_cycle,
    mds2,
    operations,
    policies,
    recalls,
    risk_scores,
    scanners,
    vex,
    vulnerabilities,
    work,
)

api = NinjaAPI(
    title="medwarden",
    version=__version__,
    description=(
        "Everything the console shows. Sign in with the browser's session, or send "
        "`Authorization: Bearer TOKEN` with a token from your account page. Times are nanoseconds since "
        "the Unix epoch, UTC. What your role does not include is answered with 403, what your sites do not "
        "include as if it did not exist."
    ),
    urls_namespace="api-v1",
    docs_url=None,
    openapi_url=None,
)
api.add_router("", house.router)
api.add_router("", devices.router)
api.add_router("", kinds.router)
api.add_router("", answers.router)
api.add_router("", books.router)
api.add_router("", equipment.router)
api.add_router("", identity.router)
api.add_router("", findings.router)
api.add_router("", policies.router)
api.add_router("", operations.router)
api.add_router("", mds2.router)
api.add_router("", recalls.router)
api.add_router("", life_cycle.router)
api.add_router("", risk_scores.router)
api.add_router("", vulnerabilities.router)
api.add_router("", scanners.router)
api.add_router("", work.router)
api.add_router("", vex.router)
api.add_router("", knowledge.router)


@api.exception_handler(PermissionRefused)
def refused(request: HttpRequest, error: PermissionRefused) -> HttpResponse:
    """Answer 403 where the store refused."""
    return api.create_response(request, {"detail": str(error)}, status=403)


@api.exception_handler(ConfigurationError)
def wrong(request: HttpRequest, error: ConfigurationError) -> HttpResponse:
    """Answer 422 to what cannot be done as asked, with the reason."""
    return api.create_response(request, {"detail": str(error)}, status=422)


@api.exception_handler(ResourceError)
def unable(request: HttpRequest, error: ResourceError) -> HttpResponse:
    """Answer 503 where a disk or file of this machine fails, with the reason."""
    return api.create_response(request, {"detail": str(error)}, status=503)
