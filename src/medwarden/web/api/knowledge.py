"""Operations on the sources of knowledge: how they stand, who says what, look now, bundles, schedule."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Field, File, Form, Router, Schema, Status
from ninja.files import UploadedFile

from medwarden.app import knowledge_bundles as bundles
from medwarden.app.knowledge_job import Job, last_job, start
from medwarden.app.knowledge_records import Word, words_on
from medwarden.app.knowledge_settings import Schedule, read_settings, with_provider
from medwarden.app.knowledge_status import Source, Standing, sources, standing
from medwarden.app.knowledge_steering import (
    ListedProvider,
    change_settings,
    next_due,
    providers,
    with_stale_after,
)
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Permission
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, plain, schema_of
from medwarden.web.decisions import data_folder
from medwarden.web.scope import actor_of, signed_in
from medwarden.web.views.risk.knowledge import keep_upload

router = Router(tags=["Knowledge"])
SEE = needs(Permission.SEE_INVENTORY)
BRING = needs(Permission.FEED_DATA)
SET = needs(Permission.CHANGE_SETTINGS)


@router.get("/knowledge", response=list_of(Source), auth=SEE, url_name="knowledge", summary="Sources")
def knowledge(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001 (JSON of the schema; knowledge is of all)
    """Return every source: what it is, its age, counts, last try and error, what speaks for it."""
    return plain(sources(data_folder()))


@router.get("/knowledge/standing", response=schema_of(Standing), auth=SEE, summary="Knowledge as a whole")
def knowledge_standing(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001 (JSON of the schema)
    """Return which sources are stale or failed, in words; for a monitoring system."""
    return plain(standing(data_folder()))


@router.get(
    "/knowledge/records/{record_id}",
    response={200: list_of(Word), 404: Problem},
    auth=SEE,
    summary="Who says what",
)
def knowledge_record(request: HttpRequest, record_id: str) -> Any:  # noqa: ANN401, ARG001 (JSON of the schema)
    """Return what each source says of an id (CVE, advisory, recall, UDI-DI), with the origin of each word."""
    found = words_on(data_folder(), record_id[:120])
    if not found:
        raise Http404("No source in use speaks of it.")
    return plain(found)


@router.get(
    "/knowledge/job", response={200: schema_of(Job), 404: Problem}, auth=SEE, summary="Work under way"
)
def knowledge_job(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001 (JSON of the schema)
    """Return what is under way or went last, with what it meant for the devices."""
    job = last_job(data_folder())
    if job is None:
        raise Http404("Nothing was brought up to date yet.")
    return plain(job)


class LookNow(Schema):
    """Which sources are asked, none for all of ordinary size, and why."""

    feeds: list[str] = []
    reason: str = Field(min_length=1, max_length=500)


@router.post(
    "/knowledge/sync",
    response={202: schema_of(Job), 422: Problem, 503: Problem},
    auth=BRING,
    summary="Ask the publishers now",
)
def knowledge_sync(request: HttpRequest, body: LookNow) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Begin to ask publishers; ask for the job to see how it goes."""
    return Status(202, plain(start(data_folder(), Job("sync", actor_of(request), feeds=tuple(body.feeds)))))


@router.post(
    "/knowledge/bundles",
    response={202: schema_of(Job), 422: Problem, 503: Problem},
    auth=BRING,
    summary="Bring a bundle",
)
def knowledge_import(
    request: HttpRequest,
    bundle: File[UploadedFile],
    unsigned: Form[bool] = False,
) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take a signed bundle in; publishers' own files only where an administrator vouches (``unsigned``)."""
    if unsigned and not signed_in(request).may(Permission.CHANGE_SETTINGS):
        raise ConfigurationError("only an administrator may vouch for files that nobody signed")
    home = data_folder()
    path = keep_upload(home, bundle.chunks())
    return Status(
        202, plain(start(home, Job("import", actor_of(request), paths=(str(path),), unsigned=unsigned)))
    )


class ScheduleSchema(Schema):
    """The schedule, and when the next look is (nanoseconds since the epoch; none where it is off)."""

    schedule: schema_of(Schedule)  # type: ignore[valid-type]  # made at run time from the struct
    next_ns: int | None


@router.get("/knowledge/schedule", response=ScheduleSchema, auth=SEE, summary="Schedule")
def knowledge_schedule(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001 (JSON of the schema)
    """Return when knowledge is looked for by itself."""
    home = data_folder()
    due = next_due(home)
    return {"schedule": plain(read_settings(home).schedule), "next_ns": None if due is None else due.at_ns}


class ScheduleIn(Schema):
    """When knowledge is to be looked for by itself."""

    on: bool
    at: str = "03:15"
    zone: str = "UTC"
    jitter_minutes: int = 45
    feeds: list[str] = []
    reason: str = Field(min_length=1, max_length=500)


@router.put(
    "/knowledge/schedule",
    response={200: ScheduleSchema, 422: Problem, 503: Problem},
    auth=SET,
    summary="Set the schedule",
)
def knowledge_schedule_set(request: HttpRequest, body: ScheduleIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Turn the daily look on or off."""
    home = data_folder()
    wanted = Schedule(body.on, body.at, body.zone, body.jitter_minutes, tuple(body.feeds))
    decided = partial(msgspec.structs.replace, schedule=wanted)
    change_settings(home, decided, actor=actor_of(request), reason=body.reason)
    return knowledge_schedule(request)


class AgeIn(Schema):
    """From which age in hours a source is stale; none for its own."""

    hours: int | None
    reason: str = Field(min_length=1, max_length=500)


@router.put(
    "/knowledge/{feed}/age",
    response={204: None, 422: Problem, 503: Problem},
    auth=SET,
    summary="Set the age of a source",
)
def knowledge_age(request: HttpRequest, feed: str, body: AgeIn) -> Any:  # noqa: ANN401 (an empty answer)
    """Say from which age a source counts as stale."""
    home = data_folder()
    decided = partial(with_stale_after, feed=feed, hours=body.hours)
    change_settings(home, decided, actor=actor_of(request), reason=body.reason)
    return Status(204, None)


@router.get(
    "/knowledge/providers", response=list_of(ListedProvider), auth=SEE, summary="Publishers of advisories"
)
def knowledge_providers(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001 (JSON of the schema)
    """Return publishers of CSAF advisories: those that are asked first."""
    return plain(providers(read_settings(data_folder())))


class ProviderIn(Schema):
    """A publisher by name, domain or the address of its metadata, and whether it is to be asked."""

    named: str = Field(min_length=1, max_length=300)
    asked: bool
    reason: str = Field(min_length=1, max_length=500)


@router.put(
    "/knowledge/providers",
    response={200: list_of(ListedProvider), 422: Problem, 503: Problem},
    auth=SET,
    summary="Ask a publisher or no longer",
)
def knowledge_provider_set(request: HttpRequest, body: ProviderIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Ask a publisher of CSAF advisories, or no longer."""
    home = data_folder()
    decided = partial(with_provider, named=body.named, asked=body.asked)
    done = change_settings(home, decided, actor=actor_of(request), reason=body.reason)
    return plain(providers(done))


@router.get("/knowledge/keys", response=list_of(bundles.TrustedKey), auth=SEE, summary="Keys of bundles")
def knowledge_keys(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001 (JSON of the schema)
    """Return the keys whose bundles are taken in."""
    return plain(bundles.trusted(data_folder()))
