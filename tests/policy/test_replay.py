"""The dry run: what a policy would break, in words."""

from __future__ import annotations

import msgspec

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Conversation, Device, DeviceClass
from medwarden.policy import learn_device, permits, replay
from medwarden.policy.peers import category_name

START = 1_750_000_000 * NANOSECONDS
DAY = 86_400 * NANOSECONDS


def call(
    peer: str, port: int, application: str, flows: int = 10, role: str = "client", established: bool = True
) -> Conversation:
    return Conversation(
        "a",
        role,
        peer,
        None,
        None,
        "internal",
        "tcp",
        port,
        application,
        START,
        START + 2 * DAY,
        flows,
        9,
        9,
        9,
        established,
    )


def analyser(name: str, *calls: Conversation) -> Device:
    return Device(
        id=name,
        site="main",
        names=(name.upper(),),
        device_class=DeviceClass.IOMT,
        category="chem_analyzer",
        conversations=calls,
    )


LIS = Device(id="lis2", site="main", names=("LIS-2",), category="lis")
NTP = Device(id="ntp", site="main", names=("NTP-1",), category="server")


def test_what_would_break_is_told_by_kind_of_device_service_and_rate() -> None:
    members = [analyser(f"an{i}", call("lis2", 2575, "hl7", flows=824)) for i in range(3)]
    devices = {d.id: d for d in [*members, LIS, NTP]}
    policy = learn_device(analyser("an9", call("ntp", 123, "ntp")), devices)
    run = replay(policy, members, devices)
    (broken,) = run.breaks
    assert broken.sentence == (
        f"3 devices ({category_name('chem_analyzer')}) could no longer reach LIS-2 "
        "(hl7, tcp/2575, about 1,236 flows a day)."
    )
    assert broken.flows == 3 * 824
    assert broken.devices == ("an0", "an1", "an2")
    assert run.unused == policy.rules


def test_direction_matters() -> None:
    devices = {d.id: d for d in [LIS, NTP]}
    policy = learn_device(analyser("a", call("lis2", 2575, "hl7")), devices)
    assert permits(policy, call("lis2", 2575, "hl7"), devices) is not None
    assert permits(policy, call("lis2", 2575, "hl7", role="server"), devices) is None
    assert permits(policy, call("lis2", 2576, "hl7"), devices) is None
    assert permits(policy, call("ntp", 2575, "hl7"), devices) is None


def test_a_range_permits_its_ports_only() -> None:
    devices = {"lis2": LIS}
    policy = learn_device(analyser("a", call("lis2", 2575, "hl7")), devices)
    (rule,) = policy.rules
    wide = msgspec.structs.replace(policy, rules=(msgspec.structs.replace(rule, port=49152, port_to=65535),))
    assert permits(wide, call("lis2", 50000, "hl7"), devices) is not None
    assert permits(wide, call("lis2", 2575, "hl7"), devices) is None


def test_attempts_that_failed_anyway_do_not_count_as_broken() -> None:
    devices = {"lis2": LIS}
    policy = learn_device(analyser("a"), devices)
    run = replay(policy, [analyser("a", call("lis2", 22, "ssh", established=False))], devices)
    assert (run.unanswered, run.blocked, run.breaks) == (1, 0, ())
