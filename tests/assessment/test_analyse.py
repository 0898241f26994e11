"""The content of an assessment: counts that add up, paths, grades, actions, gaps."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from medwarden.assessment import Assessment, analyse
from medwarden.assessment.grades import letter
from medwarden.model.accounting import InputReport
from medwarden.model.device import Conversation, Device, DeviceClass
from medwarden.model.risk import RiskLevel

Engines = Callable[[list[Device]], Assessment]


def test_counts_add_up(assessment: Assessment, hospital: list[Device]) -> None:
    inventory = assessment.inventory
    assert inventory.total == len(hospital)
    for counts in (inventory.by_class, inventory.by_category, inventory.by_vendor):
        assert sum(c.devices for c in counts) == inventory.total
        assert sum(c.medical for c in counts) == inventory.medical
    assert sum(inventory.managed) == inventory.total
    assert sum(assessment.risk.by_level.values()) == sum(assessment.risk.histogram) == inventory.total
    assert sum(s.total for s in assessment.segmentation.segments) == inventory.total
    assert inventory.discovery[-1][1] == inventory.total


def test_devices_come_by_score_and_the_top_says_why(assessment: Assessment) -> None:
    scores = [assessment.scores[d.id].score for d in assessment.devices]
    assert scores == sorted(scores, reverse=True)
    top = assessment.risk.top[0]
    assert top.score.score == scores[0]
    assert sum(f.points for f in top.score.factors) == top.score.score


def test_patient_data_paths_name_sender_and_receiver(assessment: Assessment) -> None:
    told = {(p.sender.label, p.protocol, p.receiver) for p in assessment.paths}
    assert ("CT-1", "DICOM", "PACS-1") in told
    assert ("PIC-IX-3", "HL7", "CLOVERLEAF") in told
    assert not any(sender.startswith("PC-") for sender, _, _ in told)


def test_a_sender_without_a_known_conversation_is_not_lost(hospital: list[Device], assessed: Engines) -> None:
    ct = next(d for d in hospital if d.label == "CT-1")
    (path,) = [
        p for p in assessed([msgspec.structs.replace(ct, conversations=())]).paths if p.sender.id == ct.id
    ]
    assert path.receiver == "receiver not seen"


def test_mixed_segments_are_those_with_office_computers(assessment: Assessment) -> None:
    mixed = {s.name for s in assessment.segmentation.segments if s.mixed}
    assert mixed == {"10.20.40.0/24", "10.20.50.0/24"}  # ward and office; not servers, imaging, laboratory
    placed = assessment.segmentation
    assert placed.medical_mixed == sum(s.medical for s in placed.segments if s.mixed)


def test_conversations_are_counted_once(hospital: list[Device], assessment: Assessment) -> None:
    opened = sum(
        c.flows
        for d in hospital
        for c in d.conversations
        if c.established and (c.role == "client" or c.peer_device is None)
    )
    assert sum(flows for flows, _ in assessment.segmentation.talk.values()) == opened


def test_internet_exposure_puts_inbound_first_and_leaves_office_out(assessment: Assessment) -> None:
    assert assessment.internet[0].inbound
    assert assessment.internet[0].device.label == "BMS-ROOF"
    assert not any(u.device.device_class is DeviceClass.IT for u in assessment.internet)
    camera = next(u for u in assessment.internet if u.device.label == "CAM-1")
    assert camera.clear == ("http",)


def test_grades_follow_their_criterion(assessment: Assessment) -> None:
    by_area = {g.area: g for g in assessment.grades}
    assert len(by_area) == 6
    assert by_area["Internet exposure"].letter == "F"
    inventory = by_area["Inventory"]
    assert inventory.share == assessment.inventory.identified / assessment.inventory.total
    assert inventory.letter == letter(inventory.share or 0.0)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(1, "A"), (0.95, "A"), (0.949, "B"), (0.85, "B"), (0.7, "C"), (0.5, "D"), (0.49, "F"), (0, "F")],
)
def test_letters(share: float, expected: str) -> None:
    assert letter(share) == expected


def test_five_sentences_and_actions_by_risk_removed(assessment: Assessment) -> None:
    assert len(assessment.sentences) == 5
    assert f"{assessment.inventory.total} devices" in assessment.sentences[0]
    points = [action.points for action in assessment.actions]
    assert points == sorted(points, reverse=True)
    assert points[0] > 0
    titles = [action.title for action in assessment.actions]
    assert len({t.partition(":")[0] for t in titles}) == len(titles)


def test_every_finding_is_part_of_one_action(assessment: Assessment) -> None:
    covered = [kind for action in assessment.actions for kind in action.types]
    assert sorted(covered) == sorted({f.type for f in assessment.findings})


def test_gaps_say_what_was_not_seen_first(assessment: Assessment) -> None:
    order = ["not seen", "partly", "seen"]
    states = [order.index(g.state) for g in assessment.gaps]
    assert states == sorted(states)
    inputs = next(g for g in assessment.gaps if g.topic == "Complete inputs")
    assert inputs.state == "partly"  # one input could not be read
    assert "1 input with an error" in inputs.detail


def test_one_way_traffic_is_noticed(hospital: list[Device], assessed: Engines) -> None:
    def deaf(c: Conversation) -> Conversation:
        return msgspec.structs.replace(c, bytes_received=0)

    devices = [msgspec.structs.replace(d, conversations=tuple(map(deaf, d.conversations))) for d in hospital]
    gap = next(g for g in assessed(devices).gaps if g.topic == "Both directions of conversations")
    assert gap.state == "not seen"


def test_recordings_that_lie_apart_are_not_counted_as_one_long_one() -> None:
    day = 86_400 * 10**9
    spans = [
        (100 * day, 101 * day),
        (100 * day, 100 * day + 5),
        (400 * day, 402 * day),
        (401 * day, 403 * day),
    ]
    inputs = [InputReport(f"{i}.pcap", first_ns=first, last_ns=last) for i, (first, last) in enumerate(spans)]
    assessment = analyse([], [], [], [], inputs)
    assert assessment.observed_ns == 4 * day
    assert assessment.observed_to - assessment.observed_from == 303 * day


def test_one_path_per_pair_and_protocol(assessment: Assessment) -> None:
    pairs = [(p.sender.id, p.protocol, p.receiver) for p in assessment.paths]
    assert len(pairs) == len(set(pairs))


def test_nothing_at_all_is_an_assessment_too() -> None:
    nothing = analyse([], [], [], [], [])
    assert nothing.inventory.total == 0
    assert nothing.risk.by_level[RiskLevel.NONE] == 0
    assert len(nothing.sentences) == 5
    assert all(g.letter is None for g in nothing.grades)
    assert nothing.actions == ()


def test_the_same_input_gives_the_same_assessment(hospital: list[Device], assessed: Engines) -> None:
    assert assessed(hospital) == assessed(hospital)
    assert [d.id for d in assessed(hospital[::-1]).devices] == [d.id for d in assessed(hospital).devices]
