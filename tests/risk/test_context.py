"""Surroundings kept up to date one device at a time are those read anew, and neighbours are counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.device import Device, DeviceClass
from medwarden.risk.context import RiskContext, Surroundings

_PLACES = st.sampled_from([None, "10.0.0.0/24", "10.0.1.0/24"])


@st.composite
def devices(draw: st.DrawFn) -> Device:
    return Device(
        id=f"d-{draw(st.integers(0, 5))}",
        site=draw(st.sampled_from(["north", "south"])),
        vlans=draw(st.sampled_from([(), (7,), (7, 9)])),
        device_class=draw(st.sampled_from(list(DeviceClass))),
        category=draw(st.sampled_from([None, "server", "workstation"])),
        subnet=draw(_PLACES),
    )


@given(st.lists(st.tuples(devices(), st.booleans()), max_size=30))
def test_put_and_dropped_devices_are_those_that_are_left(steps: list[tuple[Device, bool]]) -> None:
    around, left = Surroundings(), dict[str, Device]()
    for device, stays in steps:
        if stays:
            around.put(device)
            left[device.id] = device
        else:
            around.drop(device.id)
            left.pop(device.id, None)
        now, anew = around.context(5), RiskContext.build(left.values(), 5)
        assert dict(now.subnets) == dict(anew.subnets)
        assert dict(now.vlans) == dict(anew.vlans)
        assert dict(now.classes) == dict(anew.classes)
        assert dict(now.labels) == dict(anew.labels)
        assert len(around) == len(left)


def test_neighbours_are_counted_by_class_and_servers_apart() -> None:
    around = Surroundings()
    for number, category in enumerate(("server", "workstation", None)):
        around.put(
            Device(
                id=f"d-{number}",
                site="main",
                device_class=DeviceClass.IT if category else DeviceClass.IOMT,
                category=category,
                subnet="10.0.0.0/24",
                vlans=(7,),
            )
        )
    near = around.context(0).subnets["main", "10.0.0.0/24"]
    assert (near.total, near.office, near.servers, near.of(DeviceClass.IOMT)) == (3, 1, 1, 1)
    assert around.context(0).vlans["main", 7].name == "VLAN 7"
    for number in range(3):
        around.drop(f"d-{number}")
    assert around.context(0).subnets == {}
