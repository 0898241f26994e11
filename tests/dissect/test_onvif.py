from __future__ import annotations

import pytest

from medwarden.dissect.onvif import facts_of_answer, is_answer
from medwarden.kernel.errors import MalformedInput


def answer(name: str, inner: str) -> bytes:
    return (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:t="http://www.onvif.org/ver10/device/wsdl" xmlns:s="http://www.onvif.org/ver10/schema">'
        f"<e:Body><t:{name}>{inner}</t:{name}></e:Body></e:Envelope>"
    ).encode()


def test_host_name_and_interfaces() -> None:
    named = answer(
        "GetHostnameResponse", "<t:HostnameInformation><s:Name>cam-7</s:Name></t:HostnameInformation>"
    )
    assert facts_of_answer(named) == [("onvif.host_name", "cam-7")]
    wired = answer(
        "GetNetworkInterfacesResponse",
        "<t:NetworkInterfaces><s:Info><s:Name>eth0</s:Name><s:HwAddress>AC-CC-8E-01-02-03</s:HwAddress></s:Info>"
        "</t:NetworkInterfaces>",
    )
    assert facts_of_answer(wired) == [("onvif.mac", "ac:cc:8e:01:02:03")]


def test_users_are_not_read() -> None:
    users = answer("GetUsersResponse", "<t:User><s:Username>jane</s:Username></t:User>")
    assert is_answer(users)
    assert facts_of_answer(users) == []


def test_only_answers_are_looked_at() -> None:
    assert not is_answer(b"<html>onvif</html>")
    with pytest.raises(MalformedInput):
        facts_of_answer(b"<e:Envelope>")
