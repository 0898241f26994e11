"""Headings of inventories in several languages, and cells in the forms that people type."""

from __future__ import annotations

import datetime
import ipaddress
import re
import unicodedata
from collections.abc import Mapping, Sequence

from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none

_HEADINGS: Mapping[str, str] = {
    "mac": """mac macaddress macaddr macadresse hwaddr hwaddress hardwareaddress hardwareadresse
        ethernetaddress physicaladdress physischeadresse adressemac adressephysique direccionmac
        indirizzomac macadres enderecomac wlanmac wifimac lanmac macid macnr macaddresses""",
    "ip": """ip ipaddress ipaddr ipadresse ipv4 ipv4address ipv4adresse ipv6 ipv6address adresseip
        direccionip indirizzoip ipadres enderecoip hostip ipnr ipaddresses networkaddress
        netzwerkadresse""",
    "name": """name hostname host devicename computername systemname dnsname fqdn geratename nom
        nomhote nomdhote nomdelappareil nombre nombredelequipo nombreequipo nomedispositivo
        nomehost naam apparaatnaam nome displayname label bezeichnung netbiosname""",
    "vendor": """vendor manufacturer manufacturername make maker hersteller herstellername fabricant
        fabricante produttore fabrikant brand marke marque marca oem constructeur merk producer""",
    "model": """model modelname modelnumber modelno modell modellname modele modelo modello typ
        typenbezeichnung modeldescription productname product produkt produktname produit
        producto prodotto""",
    "category": """category devicetype type kategorie gerateart geratetyp gerategruppe categorie categoria
        assettype equipmenttype typedappareil typeappareil tipodispositivo tipodeequipo
        tipoapparecchio soortapparaat apparaattype deviceclass equipmentcategory modality
        modalitat""",
    "os": """os operatingsystem betriebssystem systemedexploitation sistemaoperativo
        sistemaoperacional besturingssysteem operatingsystemname osname""",
    "os_version": """osversion operatingsystemversion betriebssystemversion versionos versiondusysteme
        versionsistemaoperativo versioneos osrelease osbuild""",
    "firmware": """firmware firmwareversion firmwarerevision firmwarestand fw fwversion softwareversion
        swversion softwarestand softwarerevision versionlogiciel versiondelogiciel
        versionsoftware versionefirmware""",
    "serial": """serial serialnumber serialno serialnr sn snr seriennummer seriennr numerodeserie
        ndeserie nodeserie nserie numeroserie numerodiserie numeroseriale matricola serienummer""",
    "location": """location standort ort room raum raumnummer emplacement localisation lieu salle ubicacion
        localizacion sala posizione ubicazione stanza locatie ruimte localizacao roomnumber
        physicallocation""",
    "department": """department dept abteilung station ward service servicio reparto departamento departement
        afdeling organisationseinheit fachabteilung klinik unit costcenter kostenstelle
        owningdepartment""",
    "asset_tag": """assettag asset assetid assetnumber assetno inventarnummer inventarnr inventorynumber
        inventoryid anlagennummer numeroinventaire numerodinventaire numerodeinventario
        numeroinventario inventarisnummer equipmentid equipmentnumber controlnumber tagnumber
        cmmsid geratenummer equipmentnummer assettagnumber""",
}
FIELDS = tuple(_HEADINGS)
"""What an inventory may say of a device, by our names."""

_KNOWN = {word: field for field, words in _HEADINGS.items() for word in words.split()}
_LETTERS = re.compile(r"[^0-9a-z]")
_SEVERAL = re.compile(r"[;,|\n]|\s/\s|\s{2,}")
_NOTHING = frozenset(
    {"", "-", "--", "n/a", "na", "none", "null", "unknown", "unbekannt", "inconnu", "?", "k.a.", "tbd"}
)
_OCTETS = re.compile(r"\d{1,4}(\.\d{1,4}){3}")


def folded(heading: str) -> str:
    """Return a heading without accents, blanks and punctuation, in lower case."""
    plain = unicodedata.normalize("NFKD", heading.replace("ß", "ss"))
    return _LETTERS.sub("", plain.casefold())


def columns_of(headings: Sequence[str], own: Mapping[str, str]) -> dict[int, str]:
    """Return which column of a table says what; each thing once, the first column that fits.

    ``own`` maps a table's own headings to our names, and is asked first.
    """
    asked = {folded(heading): field for heading, field in own.items() if field in FIELDS}
    found: dict[int, str] = {}
    for number, heading in enumerate(headings):
        key = folded(heading)
        field = asked.get(key) or _KNOWN.get(key)
        if field is not None and field not in found.values():
            found[number] = field
    return found


def is_heading(columns: Mapping[int, str]) -> bool:
    """Tell whether the columns of a row make it the heading of an inventory."""
    fields = set(columns.values())
    return bool(fields & {"mac", "ip"}) and len(fields) >= 2


def cell_text(value: object) -> str:
    """Return what a cell says; numbers as people write them, nothing where somebody wrote that."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    text = " ".join(str(value).replace("\u00a0", " ").split(" ")).strip().strip("'\"").strip()
    return "" if text.casefold() in _NOTHING else text


def macs_of(text: str) -> list[str]:
    """Return the MAC addresses of a cell, in whatever way they are written."""
    whole = mac_or_none(text)
    parts = [whole] if whole else [mac_or_none(part) for part in _SEVERAL.split(text)]
    return list(dict.fromkeys(mac for mac in parts if mac is not None))


def ips_of(text: str) -> list[str]:
    """Return the addresses of a cell: with a prefix length behind them, or zeros before their octets."""
    return list(dict.fromkeys(ip for part in _SEVERAL.split(text) if (ip := _ip(part.strip())) is not None))


def _ip(text: str) -> str | None:
    text = text.partition("/")[0].partition(" ")[0].strip("[]()")
    if _OCTETS.fullmatch(text):
        octets = [int(octet) for octet in text.split(".")]
        text = ".".join(map(str, octets))
    ip = ip_or_none(text)
    if ip is None or ipaddress.ip_address(ip).is_unspecified:
        return None
    return ip
