"""Every address of the console and the API."""

from __future__ import annotations

from allauth.account import views as account_views
from django.urls import include, path

from medwarden.web.api.v1 import api
from medwarden.web.views import (
    account,
    api_docs,
    books,
    captures,
    device,
    devices,
    errors,
    findings,
    kinds,
    live,
    operations,
    overview,
    places,
    policies,
    search,
    sensors,
    settings,
    traffic,
    unknown,
)

# Only the account pages that an on-premises console without sign-up and without mail needs.
account_pages = [
    path("login/", account_views.login, name="account_login"),
    path("logout/", account_views.logout, name="account_logout"),
    path("inactive/", account_views.account_inactive, name="account_inactive"),
    path("reauthenticate/", account_views.reauthenticate, name="account_reauthenticate"),
    path("password/", account_views.password_change, name="account_change_password"),
    path("factors/", include("allauth.mfa.urls")),
    path("second-factor/", account.second_factor, name="second_factor"),
    path("", account.account, name="account"),
    path("appearance/", account.appearance, name="appearance"),
    path("tokens/", account.token_create, name="token_create"),
    path("tokens/<int:token_id>/withdraw/", account.token_delete, name="token_delete"),
]

settings_pages = [
    path("", settings.settings, name="settings"),
    path("people/", settings.people, name="settings_people"),
    path("people/new/", settings.person_create, name="person_create"),
    path("people/<int:user_id>/", settings.person_change, name="person_change"),
    path("sites/", settings.sites, name="settings_sites"),
    path("sites/<slug:site_id>/", settings.site_rename, name="site_rename"),
    path("sites/<slug:site_id>/vlans/", settings.site_vlans, name="site_vlans"),
    path("audit/", settings.audit, name="settings_audit"),
    path("about/", settings.about, name="settings_about"),
]

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("devices/", devices.devices, name="devices"),
    path("devices/export.<slug:kind>", devices.devices_export, name="devices_export"),
    path("devices/kinds/", kinds.kinds, name="devices_kinds"),
    path("devices/kinds/export.<slug:kind>", kinds.kinds_export, name="devices_kinds_export"),
    path("devices/sureness/", kinds.sureness, name="devices_sureness"),
    path("devices/sureness/export.<slug:kind>", kinds.sureness_export, name="devices_sureness_export"),
    path("devices/unknown/", unknown.unknown, name="devices_unknown"),
    path("devices/unknown/export.<slug:kind>", unknown.unknown_export, name="devices_unknown_export"),
    path("devices/unknown/<str:target>/", unknown.question, name="devices_question"),
    path("devices/answers/", unknown.given_answers, name="devices_answers"),
    path("devices/answers/<str:answer_id>/undo/", unknown.answer_undo, name="answer_undo"),
    path("devices/books/", books.books, name="devices_books"),
    path("devices/books/export.<slug:kind>", books.books_export, name="devices_books_export"),
    path("devices/books/import/", books.book_import, name="book_import"),
    path("devices/books/<str:name>/", books.book, name="devices_book"),
    path("devices/books/<slug:site>/<str:name>/undo/", books.book_undo, name="book_undo"),
    path("devices/books/<slug:site>/<str:name>/remove/", books.book_remove, name="book_remove"),
    path("devices/books/<slug:site>/<str:name>/decide/", books.book_decide, name="book_decide"),
    path("devices/<str:device_id>/", device.device, name="device"),
    path("devices/<str:device_id>/policy.<slug:kind>", device.device_policy, name="device_policy"),
    path("devices/<str:device_id>/retire/", device.device_retire, name="device_retire"),
    path("map/", traffic.traffic, name="map"),
    path("map/between/", traffic.between, name="map_between"),
    path("findings/", findings.findings, name="findings"),
    path("findings/export.<slug:kind>", findings.findings_export, name="findings_export"),
    path("findings/steps/", findings.findings_step, name="findings_step"),
    path("findings/<str:finding_id>/", findings.finding, name="finding"),
    path("findings/<str:finding_id>/steps/", findings.finding_step, name="finding_step"),
    path("policies/", policies.policies, name="policies"),
    path("policies/learn/", policies.policy_learn, name="policy_learn"),
    path("policies/<str:policy_id>/", policies.policy, name="policy"),
    path("policies/<str:policy_id>/steps/", policies.policy_step, name="policy_step"),
    path("policies/<str:policy_id>/export.<slug:kind>", policies.policy_export, name="policy_export"),
    path("sensors/", sensors.sensors, name="sensors"),
    path("sensors/sight/", sensors.sensors_sight, name="sensors_sight"),
    path("operations/names/", operations.names, name="operations"),
    path("operations/batteries/", operations.batteries, name="operations_batteries"),
    path("operations/protected/", operations.protected, name="operations_protected"),
    path("operations/protected/add/", operations.protect_add, name="protect_add"),
    path("operations/protected/<str:entry_id>/end/", operations.protect_end, name="protect_end"),
    path("operations/query/", operations.query, name="operations_query"),
    path("operations/query/subnets/on/", operations.subnet_on, name="probe_subnet_on"),
    path("operations/query/subnets/<str:grant_id>/off/", operations.subnet_off, name="probe_subnet_off"),
    path("operations/captures/", captures.captures, name="operations_captures"),
    path("operations/captures/<str:capture_id>/stop/", captures.capture_stop, name="capture_stop"),
    path("operations/captures/<str:capture_id>/remove/", captures.capture_remove, name="capture_remove"),
    path("operations/captures/<str:capture_id>/raw/", captures.capture_raw, name="capture_raw"),
    path("operations/captures/<str:capture_id>/file/", captures.capture_file, name="capture_file"),
    path("operations/export/<slug:what>.<slug:kind>", operations.operations_export, name="operations_export"),
    path("places/", places.places, name="places"),
    path("places/plan/", places.plan_import, name="place_plan_import"),
    path("places/plan.csv", places.plan_export, name="place_plan_export"),
    path("settings/", include(settings_pages)),
    path("search/", search.search, name="search"),
    path("palette/", search.palette, name="palette"),
    path("live/", live.live, name="live"),
    path("views/<slug:page>/save/", devices.view_save, name="view_save"),
    path("views/<int:view_id>/delete/", devices.view_delete, name="view_delete"),
    path("account/", include(account_pages)),
    path("api/", api_docs.api_docs, name="api_docs"),
    path("api/v1/openapi.json", api_docs.openapi, name="openapi"),
    path("api/v1/", api.urls),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
