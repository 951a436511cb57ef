"""Buyers and recipients who never lived: every name, street and e-mail address carries the word "Canary".

A search for "canary" therefore finds each trace of a person's data wherever it leaked to.
"""

from typing import NamedTuple

_GIVEN_NAMES = ("Ada", "Bruno", "Chloé", "Dmitri", "Esra", "Femi", "Greta", "Hiro", "Inés", "Jörg", "Kirin", "Lucía")
_FAMILY_NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Kapok")
_ROADS = ("Row", "Lane", "Street", "Avenue", "Close", "Way", "Square")


class _Place(NamedTuple):
    city: str
    state_or_region: str
    postal_code: str


_PLACES: dict[str, tuple[_Place, ...]] = {
    "US": (
        _Place("Seattle", "WA", "98101"),
        _Place("Austin", "TX", "73301"),
        _Place("Portland", "OR", "97201"),
        _Place("Albany", "NY", "12207"),
    ),
    "CA": (_Place("Ottawa", "ON", "K1A 0B1"), _Place("Halifax", "NS", "B3H 1A1")),
    "MX": (_Place("Guadalajara", "Jalisco", "44100"), _Place("Puebla", "Puebla", "72000")),
    "BR": (_Place("Recife", "PE", "50010-000"), _Place("Curitiba", "PR", "80010-000")),
    "IE": (_Place("Cork", "County Cork", "T12 W8KP"),),
    "ES": (_Place("Valencia", "Valencia", "46001"),),
    "GB": (_Place("Leeds", "West Yorkshire", "LS1 1UR"), _Place("Bristol", "Bristol", "BS1 4ST")),
    "FR": (_Place("Lyon", "Rhône", "69001"),),
    "BE": (_Place("Gent", "Oost-Vlaanderen", "9000"),),
    "NL": (_Place("Utrecht", "Utrecht", "3511 AA"),),
    "DE": (_Place("Köln", "Nordrhein-Westfalen", "50667"), _Place("Jena", "Thüringen", "07743")),
    "IT": (_Place("Torino", "TO", "10121"),),
    "SE": (_Place("Malmö", "Skåne", "211 22"),),
    "ZA": (_Place("Durban", "KwaZulu-Natal", "4001"),),
    "PL": (_Place("Gdańsk", "Pomorskie", "80-001"),),
    "EG": (_Place("Alexandria", "Alexandria", "21500"),),
    "TR": (_Place("İzmir", "İzmir", "35210"),),
    "SA": (_Place("Jeddah", "Makkah", "21442"),),
    "AE": (_Place("Sharjah", "Sharjah", "00000"),),
    "IN": (_Place("Pune", "MAHARASHTRA", "411001"),),
    "SG": (_Place("Singapore", "Singapore", "048619"),),
    "AU": (_Place("Hobart", "TAS", "7000"),),
    "JP": (_Place("札幌市", "北海道", "060-0001"),),
}


def buyer_name(number: int) -> str:
    given = _GIVEN_NAMES[number % len(_GIVEN_NAMES)]
    return f"Canary {given} {_FAMILY_NAMES[number % len(_FAMILY_NAMES)]} {number}"


def buyer_email(number: int) -> str:
    """Amazon's relay addresses look like this; the domain can receive nothing (RFC 2606)."""
    return f"canary-{number}@marketplace.amazon.example"


def delivery_address(number: int, country_code: str) -> dict[str, str]:
    """A `CustomerAddress`; every tenth goes to somebody other than the buyer."""
    places = _PLACES[country_code]
    place = places[number % len(places)]
    name = buyer_name(number) if number % 10 else f"Canary Recipient {_FAMILY_NAMES[number % 7]} {number}"
    address = {
        "name": name,
        "addressLine1": f"{number % 900 + 1} Canary {_ROADS[number % len(_ROADS)]}",
        "city": place.city,
        "stateOrRegion": place.state_or_region,
        "postalCode": place.postal_code,
        "countryCode": country_code,
        "phone": f"+1 555 0100 {number:05d}",
        "addressType": "RESIDENTIAL",
    }
    if number % 3 == 0:
        address["addressLine2"] = f"Canary Flat {number % 40 + 1}"
    return address
