"""Headings of equipment lists beyond those of an inventory, and the words in their cells.

The columns that a log source reads too (addresses, make and model, serial, asset tag) are known by
:mod:`medwarden.sensors.logs.inventory_headings`; here is what only books have: dates of maintenance, owner,
status, cost. Headings of ServiceNow are those of its published tables ``alm_hardware`` and ``cmdb_ci``; the
others are read by their words, whoever's export it is.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.book import FIELDS, SEVERAL, Standing
from medwarden.sensors.logs.inventory_headings import columns_of, folded

IGNORE = "-"
"""Stands for no field at all where a person maps a heading."""

_HEADINGS: Mapping[str, str] = {
    "record": """sysid recordid recordnumber internalid externalid datensatznummer""",
    "asset_tag": """assetno assetnr controlnumber controlno equipid equipno equipmentno tagno tag inventoryno
        inventar inventarno barcode gerateid""",
    "serial": """serialnum serialn manufacturerserialnumber mfrserial fabriknummer fabriknr""",
    "udi": """udi udidi deviceidentifier di uniquedeviceidentifier uniquedeviceidentification gtin primarydi
        basisudidi""",
    "lot": """lotnumber lotno lotcode batch batchnumber batchno charge chargennummer""",
    "mac": """umacaddress wirelessmac wiredmac ethernetmac wlanmacaddress lanmacaddress mac1 mac2
        macaddress1 macaddress2""",
    "ip": """uipaddress ip1 ip2 ipaddress1""",
    "name": """ciname networkname hostnamefqdn dnsname""",
    "vendor": """mfr mfg modelidmanufacturer modelmanufacturer manufacturerdisplayname oemmanufacturer""",
    "model": """modelid modeliddisplayname modelidname modelnum modelno modelnbr modellbezeichnung
        geratemodell""",
    "category": """modelcategory description devicedescription equipmentdescription assetdescription
        geratebezeichnung subcategory equipmentclass umdnsname umdnsterm designation denominazione
        descripcion descrizione""",
    "building": """building bldg gebaude haus batiment edificio gebouw campus
        facilitybuilding locationbuilding""",
    "floor": """floor level etage stockwerk ebene piano planta verdieping storey locationfloor""",
    "room": """room roomno roomnumber raum raumnummer raumnr zimmer zimmernummer salle chambre sala habitacion
        stanza kamer locationroom""",
    "location": """locationdisplayname locationname sublocation site physicallocation""",
    "department": """departmentname ownerdepartment owningdept usingdepartment costcentername dienststelle
        departmentdisplayname assigneddepartment""",
    "owner": """owner ownedby assignedto equipmentowner eigentumer besitzer proprietaire propietario
        proprietario eigenaar ansprechpartner responsible verantwortlicher responsable assignedtoname""",
    "technician": """technician tech primarytechnician assignedtechnician techniker medizintechniker
        technicien tecnico managedby supportedby biomedtechnician servicetechnician zustandigertechniker""",
    "last_pm": """lastpm lastpmdate lastpmcompleted lastmaintenance lastservice lastinspection
        lastpreventivemaintenance letztewartung letztestk letzteprufung dernieremaintenance
        derniereverification ultimomantenimiento ultimamanutenzione pmcompleted lastserviced
        lastcompleteddate""",
    "next_pm": """nextpm nextpmdate pmdue pmduedate nextpmdue nextmaintenance nextservice nextinspection
        nachstewartung nachstestk nachsteprufung prochainemaintenance prochaineverification
        proximomantenimiento prossimamanutenzione nextduedate nextscheduledpm""",
    "warranty_until": """warranty warrantyuntil warrantyexpiration warrantyend warrantyenddate
        warrantyexpirationdate warrantyexpires garantie garantiebis garantieende garantia garanzia
        findegarantie fingarantie finegaranzia""",
    "manufactured": """manufacturedate dateofmanufacture manufacturingdate mfgdate builddate productiondate
        baujahr herstelldatum herstellungsdatum""",
    "purchase_date": """purchasedate purchased dateofpurchase acquisitiondate acquired kaufdatum
        anschaffungsdatum dateachat datedachat fechadecompra datadiacquisto inservicedate installdate
        installationdate inbetriebnahme deliverydate""",
    "cost": """cost price purchaseprice purchasecost acquisitioncost value anschaffungswert
        anschaffungskosten kaufpreis prix prixdachat coste precio costo prezzo""",
    "currency": """currency wahrung devise moneda valuta""",
    "status": """status installstatus state lifecyclestatus equipmentstatus assetstatus geratestatus zustand
        etat statut estado stato operationalstatus lifecyclestage""",
    "criticality": """criticality risk risklevel riskclass riskscore businesscriticality priority kritikalitat
        risikoklasse criticite criticidad criticita missioncritical criticalityscore""",
}
_KNOWN = {word: field for field, words in _HEADINGS.items() for word in words.split()}
_PREFIX = re.compile(r"^(?:u|x[a-z0-9]*(?:eam)?)_(?=[a-z])")

_STANDINGS: Mapping[Standing, str] = {
    Standing.ACTIVE: """active inuse installed inservice operational aktiv inbetrieb betrieb enservice enuso
        activo attivo inuso live production productive yes available deployed inoperation""",
    Standing.STORED: """instock stored storage spare lager eingelagert enstock reserve inventory stock pending
        onorder enalmacen inmagazzino notinuse standby""",
    Standing.LOANED: """loaned onloan loan loaner verliehen leihgerat prete prestado inprestito borrowed
        rental rented leihgabe""",
    Standing.REPAIR: """inrepair repair inmaintenance maintenance reparatur inreparatur enreparation
        enreparacion inriparazione underrepair outforrepair""",
    Standing.MISSING: """missing lost stolen unabletolocate notfound couldnotlocate vermisst verloren perdu
        perdido smarrito absent""",
    Standing.RETIRED: """retired disposed scrapped decommissioned inactive removed sold ausgemustert
        ausgesondert verschrottet stillgelegt reforme horsservice retire baja dadodebaja dismesso
        outofservice surplus traded obsolete condemned deactivated""",
}
_STANDING = {word: standing for standing, words in _STANDINGS.items() for word in words.split()}

_NUMERIC_DATE = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})(?:[ T]\d.*)?")
_WORDS_OF_DATES = ("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d%b%Y")
_EXCEL_EPOCH = datetime.date(1899, 12, 30)
_MONEY = re.compile(r"-?\d[\d.,' ]*")


def own_columns(pairs: Iterable[str], fields: Collection[str] | None = None) -> dict[str, str]:
    """Return a person's mapping of ``Heading=field`` texts; ``Heading=-`` leaves a column aside.

    ``fields`` are those of the kind of list, left out those of equipment lists. Raises ConfigurationError for
    a text without ``=`` and for a field that there is not.
    """
    known = FIELDS if fields is None else fields
    own: dict[str, str] = {}
    for pair in pairs:
        heading, equals, field = (part.strip() for part in pair.rpartition("="))
        if not equals or not heading:
            raise ConfigurationError(f'{pair[:60]!r} maps nothing: write "Heading=field"')
        if field != IGNORE and field not in known:
            raise ConfigurationError(
                f"there is no field {field[:40]!r} to map {heading[:40]!r} to: use one of {', '.join(known)}"
            )
        own[heading] = field
    return own


def field_of(heading: str) -> str | None:
    """Return what a heading means by its words, or None."""
    key = folded(heading)
    plain = folded(_PREFIX.sub("", heading.strip().casefold()))
    for candidate in (key, plain):
        found = _KNOWN.get(candidate) or columns_of([candidate], {}).get(0)
        if found is not None:
            return found
    return None


def book_columns(headings: Sequence[str], own: Mapping[str, str]) -> dict[int, str]:
    """Return which column says what. ``own`` is asked first; addresses may stand in several columns.

    Of several other columns for one field the first counts.
    """
    asked = {folded(heading): field for heading, field in own.items()}
    chosen = {n: asked[folded(h)] for n, h in enumerate(headings) if folded(h) in asked and folded(h)}
    found = {n: field for n, field in chosen.items() if field != IGNORE}
    for number, heading in enumerate(headings):
        if number in chosen:
            continue
        field = field_of(heading)
        if field is not None and (field in SEVERAL or field not in found.values()):
            found[number] = field
    return dict(sorted(found.items()))


def demand_headings(own: Mapping[str, str], headings: Sequence[str], source: str) -> None:
    """Raise ConfigurationError where a person maps a heading that the table does not have."""
    there = {folded(heading) for heading in headings}
    missing = next((name for name in own if folded(name) not in there), None)
    if missing is not None:
        raise ConfigurationError(
            f"{source}: no column is headed {missing[:60]!r}: "
            f"its headings are {', '.join(heading for heading in headings if heading)[:400]}"
        )


def system_of(headings: Iterable[str]) -> str:
    """Return the product that an export with these headings comes from, as far as its headings tell."""
    lower = {heading.strip().casefold() for heading in headings}
    if any("x_nuvo" in heading for heading in lower):
        return "nuvolo"
    if lower & {"sys_id", "sys_class_name", "cmdb_ci", "model_id", "model_id.display_name"} or (
        "asset_tag" in lower and "install_status" in lower
    ):
        return "servicenow"
    return "generic"


def standing_of(text: str) -> str:
    """Return the standing that a cell means, or its own text where it is not known."""
    standing = _STANDING.get(folded(text))
    return text if standing is None else standing.value


def day_first(cells: Iterable[str]) -> bool | None:
    """Tell whether dates with the year last have the day first; None where nothing decides.

    A first number above 12 is a day, a second one above 12 means that the first is a month; dots are never
    put between month and day.
    """
    votes = {True: 0, False: 0}
    for cell in cells:
        found = _NUMERIC_DATE.fullmatch(cell)
        if found is None or len(found[1]) == 4:
            continue
        if "." in cell or int(found[1]) > 12:
            votes[True] += 1
        elif int(found[2]) > 12:
            votes[False] += 1
    if votes[True] and votes[False]:
        return None
    return True if votes[True] else False if votes[False] else None


def date_of(text: str, first_is_day: bool | None) -> str | None:
    """Return a date as ISO 8601, or None where the text is none, or could be two."""
    number = _NUMERIC_DATE.fullmatch(text)
    try:
        if number is not None:
            one, two, three = int(number[1]), int(number[2]), int(number[3])
            if len(number[1]) == 4:
                return datetime.date(one, two, three).isoformat()
            if first_is_day is None and one != two and one <= 12 and two <= 12:
                return None
            year = three + 2000 if three < 70 else three + 1900 if three < 100 else three
            day_before = one > 12 or (first_is_day is not False and two <= 12)
            day, month = (one, two) if day_before else (two, one)
            return datetime.date(year, month, day).isoformat()
        if text.isdigit() and 20_000 <= int(text) <= 80_000:  # days of a spreadsheet, as a bare number
            return (_EXCEL_EPOCH + datetime.timedelta(days=int(text))).isoformat()
    except ValueError:
        return None
    for form in _WORDS_OF_DATES:
        try:
            return datetime.datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 - a day, no moment
        except ValueError:
            continue
    return None


def money_of(text: str) -> tuple[str, str] | None:
    """Return (amount with a point, currency or nothing) of a price, or None where it is none."""
    found = _MONEY.search(text)
    if found is None:
        return None
    digits = re.sub(r"[ ']", "", found[0]).rstrip(".,")
    whole, point, cents = _split_amount(digits)
    currency = (text[: found.start()] + text[found.end() :]).strip().upper()
    marks = {"€": "EUR", "$": "USD", "£": "GBP", "FR.": "CHF"}
    return f"{whole}{point}{cents}", marks.get(currency, currency)[:8]


def _split_amount(digits: str) -> tuple[str, str, str]:
    """Return (whole part, point or nothing, cents): three digits behind one lone mark are thousands."""
    at = max(digits.rfind("."), digits.rfind(","))
    tail, marks = digits[at + 1 :], digits.count(".") + digits.count(",")
    same = at >= 0 and digits.count(digits[at]) == marks
    if at < 0 or (same and (marks > 1 or len(tail) == 3)):
        return re.sub(r"[.,]", "", digits), "", ""
    return re.sub(r"[.,]", "", digits[:at]), ".", tail
