"""Pure: Amazon's carriers, our own table of methods per carrier, and the check before anything is sent (MISSION C8).

Amazon takes nearly any text as a method and then shows it to buyers; "UP Ground" is caught here, not there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz, process, utils

from common.amazon.order import OrderPackage
from common.errors import InvalidRequest
from orders_service.carrier_names import CARRIER_NAMES

OTHER: Final = "Other"
LONGEST = 50

# Methods by carrier: the services that the carriers themselves sell, in their own words. A carrier of Amazon's list
# that is not here takes any method; an account adds its own with `carrier_method` rows.
METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "UPS": (
        *("UPS Ground", "UPS Ground Saver", "UPS SurePost", "UPS 3 Day Select", "UPS 2nd Day Air"),
        *("UPS 2nd Day Air A.M.", "UPS Next Day Air", "UPS Next Day Air Saver", "UPS Next Day Air Early"),
        *("UPS Standard", "UPS Worldwide Expedited", "UPS Worldwide Express", "UPS Worldwide Express Plus"),
        *("UPS Worldwide Saver", "UPS Worldwide Economy"),
    ),
    "UPSMI": ("UPS Mail Innovations",),
    "UPS Mail Innovations": ("UPS Mail Innovations",),
    "FedEx": (
        *("FedEx Ground", "FedEx Home Delivery", "FedEx Ground Economy", "FedEx SmartPost", "FedEx Express Saver"),
        *("FedEx 2Day", "FedEx 2Day A.M.", "FedEx Standard Overnight", "FedEx Priority Overnight"),
        *("FedEx First Overnight", "FedEx International Economy", "FedEx International Priority"),
        *("FedEx International First", "FedEx International Connect Plus"),
    ),
    "FedEx SmartPost": ("FedEx SmartPost", "FedEx Ground Economy"),
    "USPS": (
        *("USPS Ground Advantage", "USPS Priority Mail", "USPS Priority Mail Express", "USPS First-Class Mail"),
        *("USPS Media Mail", "USPS Parcel Select", "USPS Library Mail", "USPS First-Class Package International"),
        *("USPS Priority Mail International", "USPS Priority Mail Express International"),
    ),
    "DHL": ("DHL Express Worldwide", "DHL Express 9:00", "DHL Express 12:00", "DHL Economy Select", "DHL Paket"),
    "DHL Express": ("DHL Express Worldwide", "DHL Express 9:00", "DHL Express 12:00", "DHL Economy Select"),
    "DHL-Paket": ("DHL Paket", "DHL Paket International", "DHL Kleinpaket", "DHL Warenpost"),
    "DHL eCommerce": (
        *("DHL SmartMail Parcel Ground", "DHL SmartMail Parcel Plus Ground", "DHL SmartMail Parcel Expedited"),
        *("DHL SmartMail Parcel Expedited Max", "DHL Parcel International Direct", "DHL Parcel International Standard"),
    ),
    "OnTrac": ("OnTrac Ground", "OnTrac Sunrise", "OnTrac Gold"),
    "Lasership": ("Lasership Next Day", "Lasership Same Day", "Lasership Ground"),
    "Canada Post": ("Regular Parcel", "Expedited Parcel", "Xpresspost", "Priority"),
    "PUROLATOR": ("Purolator Ground", "Purolator Express", "Purolator Express 9AM", "Purolator Express 10:30AM"),
    "Royal Mail": (
        *("Royal Mail 24", "Royal Mail 48", "Royal Mail Tracked 24", "Royal Mail Tracked 48", "Royal Mail 1st Class"),
        *("Royal Mail 2nd Class", "Royal Mail Signed For 1st Class", "Royal Mail Signed For 2nd Class"),
        *("Royal Mail Special Delivery by 9am", "Royal Mail Special Delivery by 1pm"),
        *("Royal Mail International Tracked", "Royal Mail International Tracked & Signed"),
    ),
    "Parcelforce": ("express9", "express10", "expressAM", "express24", "express48", "Globalexpress"),
    "Yodel": ("Yodel 24", "Yodel 48", "Yodel Next Day"),
    "DPD": ("DPD Next Day", "DPD 12:00", "DPD 10:30", "DPD Classic", "DPD Two Day"),
    "DPD Local": ("DPD Local Next Day", "DPD Local Two Day"),
    "Hermes": ("Hermes Standard", "Hermes Next Day", "Hermes ParcelShop"),
    "GLS": ("GLS BusinessParcel", "GLS EuroBusinessParcel", "GLS FlexDeliveryService", "GLS ExpressParcel"),
    "Deutsche Post": ("Deutsche Post Brief", "Deutsche Post Einschreiben", "Deutsche Post Warensendung"),
    "Amazon Shipping": ("Amazon Shipping Ground", "Amazon Shipping Standard", "Amazon Shipping One Day"),
    "Australia Post": ("Parcel Post", "Express Post", "Parcel Post with Signature"),
}

_BY_FOLDED_NAME = {name.casefold(): name for name in reversed(CARRIER_NAMES)}
_ALIKE = 60.0  # of 100: below it a suggestion would only confuse


class UnknownCarrier(InvalidRequest):
    slug, title = "unknown-carrier", "Amazon has no carrier of this name"
    fix = "Use one of Amazon's names; methods of other carriers need no table: ship with `Other: <name>`"


@dataclass(frozen=True, slots=True)
class Sendable:
    """What goes to Amazon: a carrier of its list, or `Other` with the carrier's name (FACTS 8.4.3)."""

    carrier_code: str
    carrier_name: str | None
    shipping_method: str | None


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why it must not be sent; `suggestion` is what was probably meant, in the field that is wrong."""

    code: str
    detail: str
    suggestion: str | None = None


def check(carrier: str, method: str, own_methods: Mapping[str, Iterable[str]]) -> Sendable | Invalid:
    """Carrier and method as they go to Amazon, or what is wrong with them.

    A carrier is one of Amazon's (any case), or `Other: <name>` with a free method. `own_methods` are the account's
    additions by carrier. A method of a carrier with a table must be in it, in any case and spacing.
    """
    head, _, name = carrier.partition(":")
    if head.strip().casefold() == OTHER.casefold():
        return _other(name.strip(), method.strip())
    known = _BY_FOLDED_NAME.get(carrier.strip().casefold())
    if known is None:
        return Invalid(
            "unknown_carrier",
            f"Amazon has no carrier {carrier!r}; use one of its names, or `Other: <name>` with any method",
            _closest(carrier, CARRIER_NAMES, fuzz.ratio),
        )
    return _method(known, method, (*METHODS.get(known, ()), *own_methods.get(known, ())))


def is_shown_as(sent: Sendable | Invalid, package: OrderPackage) -> bool:
    """Whether Amazon shows a package with the carrier and the method that were sent; what it does not show it may hide.

    `Other` is shown as such or as the name that came with it.
    """
    if isinstance(sent, Invalid):
        return False
    names = {_plain(name) for name in (sent.carrier_code, sent.carrier_name) if name}
    if package.carrier and _plain(package.carrier) not in names:
        return False
    return not package.shipping_service or _plain(package.shipping_service) == _plain(sent.shipping_method or "")


def known_carrier(carrier: str) -> str:
    """Amazon's own spelling of the carrier. Raises `UnknownCarrier`."""
    known = _BY_FOLDED_NAME.get(carrier.strip().casefold())
    if known is None:
        raise UnknownCarrier(f"Amazon has no carrier {carrier!r}")
    return known


def _other(name: str, method: str) -> Sendable | Invalid:
    if not name:
        return Invalid("carrier_name_required", "the carrier Other needs a name: write `Other: <name>`")
    if len(name) > LONGEST or len(method) > LONGEST:
        return Invalid("too_long", f"carrier name and method have at most {LONGEST} characters")
    return Sendable(OTHER, name, method or None)


def _method(carrier: str, method: str, table: tuple[str, ...]) -> Sendable | Invalid:
    wanted = _plain(method)
    if not wanted or not table:
        return Sendable(carrier, None, method.strip() or None)
    for known in table:
        if wanted in (_plain(known), _plain(known.removeprefix(carrier))):
            return Sendable(carrier, None, known)
    return Invalid("unknown_method", f"{carrier} has no method {method!r}", _closest(method, table, fuzz.WRatio))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _closest(text: str, choices: Sequence[str], scorer: Callable[..., float]) -> str | None:
    found = process.extractOne(text, choices, scorer=scorer, processor=utils.default_process, score_cutoff=_ALIKE)
    return found[0] if found else None
