"""Operations on VEX: statements of others, documents of the hospital."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema, Status

from medwarden.app.publisher_keys import Voucher, distrust, trust, vouchers
from medwarden.app.vex import decide, take_back, take_in, weigh
from medwarden.app.vex_export import Chosen, write
from medwarden.app.vex_signature import MOST_COMPANIONS, check_with
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.store.changes import Change
from medwarden.store.vex import StatementRow, documents, statements
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain
from medwarden.web.decisions import data_folder
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of
from medwarden.web.views.risk.vex import everywhere

router = Router(tags=["VEX"])
SEE = needs(Permission.SEE_INVENTORY)
CHANGE = needs(Permission.CHANGE_FINDING)


@router.get(
    "/vex/statements", response=page_schema(StatementRow), auth=SEE, url_name="vex", summary="VEX statements"
)
def vex_statements(
    request: HttpRequest, state: str = "", q: str = "", page: int = 1, per: int = 100
) -> dict[str, Any]:
    """Return what imported documents say, and what became of each statement."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = statements(scope_of(request).tenant, state=state, text=q, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get("/vex/documents", response=list[dict[str, Any]], auth=SEE, summary="Imported VEX documents")
def vex_documents(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the imported documents, the latest first, those taken back too."""
    return plain(documents(scope_of(request).tenant))


class DocumentIn(Schema):
    """A VEX document as text, or its bytes in base64 with ``packed``; ``author`` where it names none.

    ``companions`` are what came with it, each as text or in base64 like the document: a digest (SHA-256,
    SHA-512), a detached OpenPGP signature, public keys. What does not hold refuses the document.
    """

    document: str
    packed: bool = False
    author: str = ""
    reason: str = ""
    companions: list[str] = Field(default_factory=list, max_length=MOST_COMPANIONS)


class Taken(Schema):
    """What a document came to."""

    id: str
    author: str
    form: str
    statements: int
    states: dict[str, int]
    problems: list[dict[str, str]]
    checked: str = Field("", description="what was found of its digest and signature")
    fingerprint: str = Field("", description="the key that signed it")
    signer: str = Field("", description="whom that key names")


def _bytes(text: str, packed: bool) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if packed else text.encode()
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError("the document or what came with it is no base64") from error


@router.post(
    "/vex/documents", response={200: Taken, 422: Problem}, auth=CHANGE, summary="Take a VEX document in"
)
def vex_import(request: HttpRequest, body: DocumentIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take in OpenVEX, CSAF or CycloneDX; a maker's word counts, anybody else's waits."""
    everywhere(request)
    document = _bytes(body.document, body.packed)
    companions = [(f"companion {n}.asc", _bytes(each, body.packed)) for n, each in enumerate(body.companions)]
    try:
        checked = check_with(data_folder(), document, "document.json", companions)
        done = take_in(
            data_folder(), scope_of(request).tenant, document, "document.json",
            actor=actor_of(request), author=body.author, reason=body.reason, checked=checked,
        )  # fmt: skip
    except MalformedInput as error:
        raise ConfigurationError(str(error)) from error
    forget()
    return msgspec.to_builtins(done)


class Believed(Schema):
    """Which statements, whether they are believed, and why."""

    statements: list[int] = Field(min_length=1, max_length=1000)
    accept: bool
    reason: str = Field(min_length=1, max_length=2000)


class Settled(Schema):
    """For how many devices a verdict changed."""

    devices: int


@router.post(
    "/vex/statements/decide", response={200: Settled, 422: Problem}, auth=CHANGE, summary="Believe statements"
)
def vex_decide(request: HttpRequest, body: Believed) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Accept or refuse statements that wait for a person."""
    everywhere(request)
    devices = decide(
        data_folder(), scope_of(request).tenant, body.statements, accept=body.accept,
        actor=actor_of(request), reason=body.reason,
    )  # fmt: skip
    forget()
    return {"devices": devices}


class Why(Schema):
    """The reason of a step."""

    reason: str = Field("", max_length=2000)


@router.post(
    "/vex/documents/{document}/undo",
    response={204: None, 422: Problem},
    auth=CHANGE,
    summary="Take a VEX document back",
)
def vex_undo(request: HttpRequest, document: str, body: Why) -> Any:  # noqa: ANN401 (an empty answer)
    """Take an imported document back with all it changed."""
    everywhere(request)
    take_back(scope_of(request).tenant, document, actor=actor_of(request), reason=body.reason)
    forget()
    return Status(204, None)


@router.get("/vex/keys", response=list_of(Voucher), auth=SEE, summary="Whose signature proves whose word")
def vex_keys(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001 (JSON of the schema)
    """Return trusted OpenPGP keys and asked CSAF providers with the publishers each speaks for."""
    return plain(list(vouchers(data_folder())))


class SpeaksFor(Schema):
    """Which key (fingerprint) or provider (address) speaks for a publisher, or no longer, and why.

    Without a publisher a key is ``trusted`` no longer at all.
    """

    who: str = Field(min_length=1, max_length=300)
    publisher: str = Field("", max_length=200)
    trusted: bool = True
    reason: str = Field(min_length=1, max_length=500)


@router.put(
    "/vex/keys",
    response={200: list_of(Voucher), 422: Problem, 503: Problem},
    auth=needs(Permission.CHANGE_SETTINGS),
    summary="Say whose word a signature proves",
)
def vex_key_set(request: HttpRequest, body: SpeaksFor) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Let a key or a provider speak for a publisher, or no longer; statements are weighed anew."""
    everywhere(request)
    change = trust if body.trusted else distrust
    change(data_folder(), body.who, body.publisher, actor=actor_of(request), reason=body.reason)
    weigh(data_folder(), scope_of(request).tenant)
    forget()
    return plain(list(vouchers(data_folder())))


@router.get(
    "/vex/export/{form}",
    response={200: Any, 422: Problem},
    auth=needs(Permission.EXPORT),
    summary="The hospital's verdicts as VEX",
)
def vex_export(
    request: HttpRequest, form: str, vendor: str = "", cve: str = "", device: str = "", devices: bool = False
) -> Any:  # noqa: ANN401 (a document of CSAF or OpenVEX)
    """Return the verdicts as a document: csaf or openvex; ``devices`` adds serial numbers and addresses."""
    scope = scope_of(request)
    chosen = Chosen(vendor=vendor, vulnerability=cve, device=device, devices=devices)
    written = write(scope.store, form, chosen, actor=actor_of(request))
    with Change(actor_of(request), "download", tenant=scope.tenant, site=scope.site) as change:
        change.record("vex.exported", "export:vex", None, {"as": form, "version": written.version})
    return HttpResponse(written.document, content_type="application/json")
