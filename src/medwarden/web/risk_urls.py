"""Addresses of the pages of risk, under ``/risk/``."""

from __future__ import annotations

from django.urls import URLPattern, path

from medwarden.web.views.risk import actions, knowledge, mds2, scans, vulnerabilities

urlpatterns: list[URLPattern] = [
    path("actions/", actions.actions, name="risk_actions"),
    path("actions/export.<slug:kind>", actions.actions_export, name="risk_actions_export"),
    path("actions/import/", actions.actions_import, name="risk_actions_import"),
    path("actions/steps/", actions.actions_step, name="risk_actions_step"),
    path("actions/decisions/<str:batch>/undo/", actions.decision_undo, name="risk_decision_undo"),
    path(
        "actions/accepted/<str:acceptance>/decide/",
        actions.acceptance_decide,
        name="risk_acceptance_decide",
    ),
    path("actions/accepted/<str:acceptance>/end/", actions.acceptance_end, name="risk_acceptance_end"),
    path("actions/<str:action_id>/", actions.action, name="risk_action"),
    path("actions/<str:action_id>/accept/", actions.action_accept, name="risk_action_accept"),
    path("knowledge/", knowledge.knowledge, name="risk_knowledge"),
    path("knowledge/job/", knowledge.knowledge_job, name="risk_knowledge_job"),
    path("knowledge/record/", knowledge.knowledge_record, name="risk_knowledge_record"),
    path("knowledge/export.<slug:kind>", knowledge.knowledge_export, name="risk_knowledge_export"),
    path("knowledge/sync/", knowledge.knowledge_sync, name="risk_knowledge_sync"),
    path("knowledge/import/", knowledge.knowledge_import, name="risk_knowledge_import"),
    path("knowledge/schedule/", knowledge.knowledge_schedule, name="risk_knowledge_schedule"),
    path("knowledge/provider/", knowledge.knowledge_provider, name="risk_knowledge_provider"),
    path("knowledge/key/", knowledge.knowledge_key, name="risk_knowledge_key"),
    path("knowledge/bundle/", knowledge.knowledge_bundle, name="risk_knowledge_bundle"),
    path("knowledge/<slug:feed>/age/", knowledge.knowledge_age, name="risk_knowledge_age"),
    path("vulnerabilities/", vulnerabilities.vulnerabilities, name="risk_vulnerabilities"),
    path(
        "vulnerabilities/export.<slug:kind>",
        vulnerabilities.vulnerabilities_export,
        name="risk_vulnerabilities_export",
    ),
    path("vulnerabilities/irrelevant/", vulnerabilities.irrelevant, name="risk_irrelevant"),
    path("vulnerabilities/<str:vulnerability_id>/", vulnerabilities.vulnerability, name="risk_vulnerability"),
    path(
        "vulnerabilities/<str:vulnerability_id>/export.<slug:kind>",
        vulnerabilities.vulnerability_export,
        name="risk_vulnerability_export",
    ),
    path("advisories/<str:advisory_id>/", vulnerabilities.advisory, name="risk_advisory"),
    path("mds2/", mds2.disclosures, name="risk_mds2"),
    path("mds2/preview/", mds2.disclosure_preview, name="risk_mds2_preview"),
    path("mds2/keep/", mds2.disclosure_keep, name="risk_mds2_keep"),
    path("mds2/export.<slug:kind>", mds2.disclosures_export, name="risk_mds2_export"),
    path("mds2/<str:form_id>/", mds2.disclosure, name="risk_mds2_form"),
    path("mds2/<str:form_id>/attach/", mds2.disclosure_attach, name="risk_mds2_attach"),
    path("mds2/<str:form_id>/standing/", mds2.disclosure_standing, name="risk_mds2_standing"),
    path("scans/", scans.scanner_reports, name="risk_scans"),
    path("scans/import/", scans.scanner_import, name="risk_scan_import"),
    path("scans/exclusions/<slug:form>/", scans.scanner_exclusions, name="risk_scan_exclusions"),
    path("scans/<str:scan_id>/", scans.scanner_report, name="risk_scan"),
    path("scans/<str:scan_id>/remove/", scans.scanner_remove, name="risk_scan_remove"),
]
