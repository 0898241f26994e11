"""Request paths: words of programs are told, everything else may be a person."""

from __future__ import annotations

import pytest

from medwarden.dissect.http_paths import public_path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", "/"),
        ("", "/"),
        ("/cgi-bin/param.cgi", "/cgi-bin/param.cgi"),
        ("/onvif/device_service", "/onvif/device_service"),
        ("/fhir/Patient/4711", "/fhir/Patient"),
        ("/fhir/Lovelace/4711", "/fhir"),
        ("/dicom-web/studies/1.2.3/series", "/dicom-web/studies"),
        ("/ClientWebService/client.asmx", "/ClientWebService/client.asmx"),
        ("/scale/upload", "/scale/upload"),
        ("/device", "/device"),
        ("/Lovelace/Ada/chart", "/"),
        ("/lovelace-18151210.html", "/"),
        ("/reports/lovelace.pdf", "/reports"),
        ("/cgi-bin/lovelace.cgi", "/cgi-bin"),
        ("/4711", "/"),
    ],
)
def test_only_words_of_programs_are_told(path: str, told: str) -> None:
    assert public_path(path) == told
