"""Addresses of the pages of risk, under ``/risk/``."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
