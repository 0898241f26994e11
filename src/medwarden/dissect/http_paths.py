"""Which part of an HTTP request path names a program and never a person."""

from __future__ import annotations

_DEVICE_PATHS = (
    "/onvif/", "/cgi-bin/", "/HNAP1", "/upnp/", "/dicom-web/", "/dicomweb/", "/wado", "/rs/", "/fhir/",
    "/api/", "/rest/", "/ClientWebService/", "/SimpleAuthWebService/", "/ReportingWebService/", "/scale/",
)  # fmt: skip
_WORDS = """
account acs admin api app application apps asset assets async auth axis-cgi cgi client common config
configuration connect console content control core css dashboard data default description desc devmgmt
device device_service devices deviceid devicedescription dicom diagnosticreport discovery doc docs
download downloads dws dyn eds event events export favicon file files fonts form forms goform graphql
health heartbeat help home hp hl7 icon icons id ihe image images img index info information instances
internal ipp ippprint isapi js json language lib live log login logon logout logs main management manage
map media media_service metadata metrics mobile model modules monitor nph-status observation oauth oauth2
onvif orthanc page pages param patient ping plugin plugins portal print printer printers private ptz
public query r4 r5 dstu2 stu3 register report reports resource resources rest root rootdesc rpc rs script
scripts sdk search security series server service services session setup share shared signin site sites
snapshot soap static stations status storage stow stream streaming studies style styles subscribe
subscription support system systems tcpip telemetry template templates test time token tools tr064 update
updates upload upnp uploads user users util utility v1 v2 v3 validate version video view viewer wado
wado-rs wado-uri web webservice webservices webui wp-admin ws wsd wsdl wsman wsus xml
"""
_PROGRAM_WORDS = frozenset(_WORDS.split()) | {
    w.lower() for root in _DEVICE_PATHS for w in root.split("/") if w
}
_SUFFIXES = """
asmx asp aspx bin cgi class css dll do exe fcgi htm html ico js jsf json jsp mjs nsf php pl png py svc
svg txt wsdl xml xsd
"""
_PROGRAM_SUFFIXES = frozenset(_SUFFIXES.split())


def public_path(path: str) -> str:
    """Return the part of a request path that names a program and never a person.

    That is the first segment, and the second below the roots in ``_DEVICE_PATHS``, as far as each is a
    word of a program's own: applications also put names and numbers of people there.
    """
    segments = path.split("/")[1:]
    depth = 2 if path.startswith(_DEVICE_PATHS) else 1
    named = []
    for segment in segments[:depth]:
        if not _names_program(segment):
            break
        named.append(segment)
    return "/" + "/".join(named)


def _names_program(segment: str) -> bool:
    lowered = segment.lower()
    stem, dot, suffix = lowered.partition(".")
    return lowered in _PROGRAM_WORDS or (bool(dot) and suffix in _PROGRAM_SUFFIXES and stem in _PROGRAM_WORDS)
