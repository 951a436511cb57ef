"""Addresses as they are written on paper: the order of the parts is the country's, and no part is ever left out."""

from collections.abc import Iterable, Mapping

from common.amazon.order import DeliveryAddress
from common.amazon.values import Personal
from orders_service.slips.languages import Language


class Address(Personal, frozen=True):
    """A recipient's or a seller's address, whichever of Amazon's or our own it was."""

    names: tuple[str, ...]
    streets: tuple[str, ...]
    city: str = ""
    state: str = ""
    postcode: str = ""
    country_code: str = ""


# What stands below the street, line by line. {state} is a state, province or county, as given.
_LOCALITY: Mapping[str, tuple[str, ...]] = {
    "AE": ("{city} {postcode}", "{state}"),
    "AU": ("{city} {state} {postcode}",),
    "BR": ("{city} - {state}", "{postcode}"),
    "CA": ("{city} {state} {postcode}",),
    "EG": ("{city} {postcode}", "{state}"),
    "GB": ("{city}", "{state}", "{postcode}"),
    "IE": ("{city}", "{state}", "{postcode}"),
    "IN": ("{city} {postcode}", "{state}"),
    "IT": ("{postcode} {city} {state}",),
    "MX": ("{postcode} {city}, {state}",),
    "SA": ("{city} {postcode}", "{state}"),
    "SG": ("{city} {postcode}", "{state}"),
    "TR": ("{postcode} {city}/{state}",),
    "US": ("{city}, {state} {postcode}",),
    "ZA": ("{city}", "{state}", "{postcode}"),
}
_ELSEWHERE = ("{postcode} {city}", "{state}")
_SEPARATORS = " ,/-"


def of_delivery(given: DeliveryAddress) -> Address:
    """Amazon's `deliveryAddress`; the phone is left out, a slip does not need it."""
    extended = given.extended_fields
    streets = [given.address_line1, given.address_line2, given.address_line3]
    if extended:  # Brazil: the parts of an address that the lines may or may not repeat
        numbered = " ".join(filter(None, (extended.street_name, extended.street_number)))
        written = " ".join(filter(None, streets))
        streets += [part for part in (numbered, extended.complement, extended.neighborhood) if _is_new(part, written)]
    streets += [part for part in (given.district_or_county, given.municipality) if part != given.city]
    return Address(
        names=_given(given.name, given.company_name),
        streets=_given(*streets),
        city=given.city or "",
        state=given.state_or_region or "",
        postcode=given.postal_code or "",
        country_code=given.country_code or "",
    )


def of_business(given: Mapping[str, str | None], seller: str) -> Address:
    """A channel's return address (`contracts.connections.Address`), with the seller's name above any other."""
    name = given.get("name")
    return Address(
        names=_given(*([name] if name and seller in name else [seller, name])),
        streets=_given(given.get("line_1"), given.get("line_2")),
        city=given.get("city") or "",
        state=given.get("state_or_region") or "",
        postcode=given.get("postal_code") or "",
        country_code=given.get("country_code") or "",
    )


def lines(address: Address, language: Language) -> tuple[str, ...]:
    """The lines of the address; the country is the last one, or the first in Japan's way of writing."""
    state = "" if address.state == address.city else address.state
    country = language.country(address.country_code) if address.country_code else ""
    if address.country_code == "JP":
        postcode = f"〒{address.postcode}" if address.postcode else ""
        apart = " " if (state + address.city).isascii() else ""
        region = apart.join(filter(None, (state, address.city)))
        return _given(country, postcode, region, *address.streets, *address.names)
    patterns = _LOCALITY.get(address.country_code, _ELSEWHERE)
    parts = {"city": address.city, "state": state, "postcode": address.postcode}
    locality = [" ".join(pattern.format(**parts).split()).strip(_SEPARATORS) for pattern in patterns]
    return _given(*address.names, *address.streets, *locality, country)


def _is_new(part: str | None, written: str) -> bool:
    return bool(part) and str(part) not in written


def _given(*parts: str | None) -> tuple[str, ...]:
    """What is there, each once in a row."""
    return tuple(_without_repeats(part.strip() for part in parts if part and part.strip()))


def _without_repeats(parts: Iterable[str]) -> Iterable[str]:
    before = None
    for part in parts:
        if part != before:
            yield part
        before = part
