from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.risk.matching.likeness import Closeness, closeness
from medwarden.risk.matching.names import Aliases, Makers, packaged_aliases, repaired
from medwarden.risk.matching.products import product_name

MAKERS = Makers(packaged_aliases())


@pytest.mark.parametrize(
    ("claimed", "device"),
    [
        ("Phillips", "Philips"),
        ("Philips", "Philips Healthcare"),
        ("GE Healthcare", "General Electric (GE)"),
        ("General Electric (GE)", "GE Medical Systems"),
        ("Becton, Dickinson and Company (BD)", "BD"),
        ("Becton, Dickinson and Company (BD)", "CareFusion"),
        ("B. Braun", "B. Braun Medical"),
        ("B. Braun Medical", "B.Braun Melsungen AG"),
        ("Medtronic ", "Medtronic"),
        ("Innokas YhtymÃ¤ Oy", "Innokas Yhtymä Oy"),
        ("BMC Medical, 3B Medical", "3B Medical"),
        ("ENEA, Green Hills Software, ITRON, IP Infusion, and Wind River", "Wind River"),
        ("Silex Technology and GE Healthcare", "GE Healthcare"),
        ("Dräger", "Draegerwerk AG"),
        ("Siemens", "Siemens Healthineers"),
        ("Medtronic", "Medtroinc"),
        ("Siemens", "Siemans"),
    ],
)
def test_one_maker_under_many_names(claimed: str, device: str) -> None:
    assert MAKERS.agree(MAKERS.keys(claimed), MAKERS.keys(device))


@pytest.mark.parametrize(
    ("claimed", "written"),
    [
        ("GE Healthcare", "GEHealthcare"),
        ("GE Healthcare", "G.E. Healthcare"),
        ("GE Healthcare", "GE Healtcare"),
        ("Smiths Medical", "Simths Medical"),
        ("St. Jude Medical", "St.-Jude-Medical"),
        ("Phillips", "Phillis"),
        ("i-SENS Inc", "iSENS, Inc."),
        ("Boston Scientific", "BSC Boston Scientific"),
        ("Vyaire Medical", "VyaireMedical"),
        ("Spacelabs", "OSI Systems"),
    ],
)
def test_a_maker_is_understood_as_inventories_write_it(claimed: str, written: str) -> None:
    assert MAKERS.agree(MAKERS.keys(claimed), MAKERS.meant(written))


@pytest.mark.parametrize("written", ["Acme Medical", "Contoso Healthcare", "Zebra", "Dell", "Hamilton Beach"])
def test_a_stranger_stays_a_stranger(written: str) -> None:
    ours = ("GE Healthcare", "Philips", "Medtronic", "Smiths Medical", "Zoll", "Draeger", "Natus")
    assert not any(MAKERS.agree(MAKERS.keys(each), MAKERS.meant(written)) for each in ours)


@pytest.mark.parametrize(
    ("model", "behind"),
    [
        ("GE Medical Systems Information Technologies CADstream", "CADstream"),
        ("CareFusion 303, Inc. BD Pyxis Anesthesia System 4000", "BD Pyxis Anesthesia System 4000"),
        ("ZOLL Medical Corporation Defibrillator Dashboard", "Defibrillator Dashboard"),
        (
            "Philips Medical Systems Nederland B.V. Clinical Collaboration Platform",
            "Clinical Collaboration Platform",
        ),
        ("PHILIPS MEDIZIN SYSTEME BÖBLINGEN GMBH Ultrasound Sparq", "Ultrasound Sparq"),
        ("Alaris PC unit", ""),
        ("Philips", ""),
    ],
)
def test_a_maker_in_front_of_a_model_is_taken_off(model: str, behind: str) -> None:
    assert MAKERS.in_front(model)[1] == behind


@pytest.mark.parametrize(
    ("claimed", "device"),
    [
        ("Philips", "GE Healthcare"),
        ("Smiths Medical", "Philips"),
        ("Change Healthcare", "GE Healthcare"),
        ("Boston Scientific", "Fisher Scientific"),
        ("BD", "B. Braun"),
        ("Stryker", "Baxter"),
    ],
)
def test_other_makers_stay_others(claimed: str, device: str) -> None:
    assert not MAKERS.agree(MAKERS.keys(claimed), MAKERS.keys(device))


def test_a_hospital_adds_names_of_its_own() -> None:
    own = Aliases(vendors=(("Philips", "our old supplier"),))
    assert Makers(packaged_aliases().added(own)).keys("Our old supplier") == MAKERS.keys("Philips")


@pytest.mark.parametrize(
    ("claimed", "device", "expected"),
    [
        ("IntelliVue MX40 Patient Worn Monitor (WLAN only)", "IntelliVue MX40", Closeness.SAME),
        ("IntelliVue MX40 Patient Worn Monitor (WLAN only)", "MX40", Closeness.SAME),
        ("IntelliVue MX40 Patient Worn Monitor (WLAN only)", "IntelliVue MX400", Closeness.OTHER),
        ("IntelliVue Patient Monitors MP Series", "IntelliVue MP50", Closeness.SAME),
        ("IntelliVue Patient Monitors MP Series", "IntelliVue MX450", Closeness.OTHER),
        ("IntelliVue patient monitor MX400-MX850", "IntelliVue MX450", Closeness.SAME),
        ("IntelliVue patient monitor MX400-MX850", "IntelliVue MX40", Closeness.OTHER),
        ("Alaris 8015 PC unit", "Alaris PC Unit 8015", Closeness.SAME),
        ("Alaris 8015 PC unit", "Alaris Gateway Workstation", Closeness.OTHER),
        ("Alaris Gateway Workstation", "Alaris PC Unit", Closeness.OTHER),
        ("syngo.plaza", "syngo.via", Closeness.OTHER),
        ("MiniMed Paradigm 522K/722K pumps", "MiniMed Paradigm 722K", Closeness.SAME),
        ("MiniMed Paradigm 522K/722K pumps", "MiniMed Paradigm 722", Closeness.MAYBE),
        ("PageWriter TC10 TC20 TC30 Cardiographs", "PageWriter TC30", Closeness.SAME),
        ("PageWriter TC10 TC20 TC30 Cardiographs", "PageWriter TC50", Closeness.OTHER),
        ("Accent/Anthem", "Anthem", Closeness.SAME),
        ("Fortify", "Fortify Assura", Closeness.OTHER),
        ("CareLink Monitor", "CareLink 2090 Programmer", Closeness.OTHER),
        ("intellispace_cardiovascular", "Intelli Space Cardiovascular", Closeness.SAME),
        ("Medfusion 4000 Wireless Syringe Infusion Pump", "medfusion-4000", Closeness.SAME),
        ("Medfusion 4000 Wireless Syringe Infusion Pump", "Medfusion 3500", Closeness.OTHER),
        ("IntelliSpace Cardiovascular", "Intellispace Cardovascular", Closeness.SAME),
        ("IntelliSpace PACS", "IntelliSpace Portal", Closeness.OTHER),
        ("Xeleris 3.1", "Xeleris", Closeness.SAME),
        ("Infinity Delta", "Infinity Delta XL", Closeness.MAYBE),
        ("Alaris 8015 PC unit", "Alaris 8015 PCunit", Closeness.SAME),
        ("Claria CRT-D", "Claria CRT-D™", Closeness.SAME),
        ("Innova IGS 5x0", "Innova IGS 540", Closeness.SAME),
        ("Innova IGS 5x0", "Innova IGS 640", Closeness.OTHER),
        ("Avalon Fetal/Maternal Monitors FM20/FM30/FM40", "Avalon FM30", Closeness.SAME),
        ("Avalon Fetal/Maternal Monitors FM20/FM30/FM40", "Avalon FM10", Closeness.OTHER),
        ("IntelliVue Monitors MP Series (includingMP2/MX700/800)", "IntelliVue MX800", Closeness.SAME),
        ("Tasy WebPortal", "Tsy WebPortal", Closeness.MAYBE),
        ("Definium 8000", "Definium 8000 #12", Closeness.SAME),
        ("Mirro ICD", "Miro ICD", Closeness.MAYBE),
        ("Optima IGS 330", "Optima 330", Closeness.MAYBE),
        ("SCALANCE X-200IRT", "SCALANCE X-200", Closeness.MAYBE),
        ("SCALANCE X-200", "SCALANCE X-200IRT", Closeness.MAYBE),
        ("MyCareLink Monitor", "MyCareLnk Monitor", Closeness.SAME),
        ("IntelliVue patient monitor MX400-MX850", "IntelliVue Guardian EWS", Closeness.OTHER),
    ],
)
def test_products_are_one_or_another(claimed: str, device: str, expected: Closeness) -> None:
    claim, own = product_name(claimed), product_name(device)
    assert max(closeness(a, b).closeness for a in claim.names for b in own.names) is expected


@pytest.mark.parametrize(
    ("text", "versions", "left"),
    [
        ("Xcelera R3.3L1", ("r3.3l1",), "xcelera"),
        ("IntelliVue MX40 B.05.32", ("b.05.32",), "intellivuemx40"),
        ("Connex Spot Monitor rev 2", ("2",), "connexspotmonitor"),
        ("OpenClinic GA v5.09.02", ("5.09.02",), "openclinicga"),
        ("MRI 1.5T", (), "mri15t"),
        ("Discovery VH", (), "discoveryvh"),
    ],
)
def test_a_version_at_the_end_of_a_name_is_no_part_of_it(
    text: str, versions: tuple[str, ...], left: str
) -> None:
    name = product_name(text)
    assert name.versions == versions
    assert name.names[0].joined == left


def test_an_abbreviation_in_brackets_is_another_name_and_no_condition() -> None:
    name = product_name("ZOOM LATITUDE Programmer/Recorder/Monitor (PRM) - Model 3120")
    assert [each.joined for names in name.others for each in names] == ["prm3120"]
    assert name.conditions == ()
    assert product_name("Gateway (WLAN only)").conditions == ("wlan only",)


@given(st.text(max_size=60))
def test_no_name_is_too_strange_and_each_is_like_itself(text: str) -> None:
    name = product_name(text)
    assert name.names
    assert MAKERS.keys(text) == MAKERS.keys(text)
    if any(each.telling for each in name.names):
        assert max(closeness(a, a).closeness for a in name.names) is Closeness.SAME


def test_mojibake_is_repaired_and_good_text_left_alone() -> None:
    assert repaired("YhtymÃ¤") == "Yhtymä"
    assert repaired("mã¼ller") == "müller"
    assert repaired("KJÃ¦R") == "KJæR"
    assert repaired("Società São Ångström") == "Società São Ångström"
    assert repaired("Dräger Âme") == "Dräger Âme"
