"""Where an authorisation that began at Amazon may send the browser back to: Amazon's confirmation page only. Pure.

The URI comes from a query string that anybody can write (FACTS 2.2.1). It is matched as a whole against what Amazon's
looks like, not taken apart by a parser that may read it differently from a browser.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from common.amazon.marketplaces import MARKETPLACES, marketplace
from common.contracts.connections import Region

# No user, port, fragment, backslash or escape can stand in what this matches; a host is letters, digits, dots, dashes.
_SHAPE = re.compile(
    r"(?P<origin>https://(?P<host>[a-z0-9.-]{1,100})|http://[a-z0-9.-]{1,100}(?::[0-9]{1,5})?)"
    r"/apps/authorize/confirm/(?P<app>[A-Za-z0-9.-]{1,200})"
    r"(?:\?[A-Za-z0-9._~=&+-]{0,1000})?"
)
# What we add to the query ourselves: given twice, the first might count.
_OURS = re.compile(r"[?&](?:amazon_state|state|redirect_uri)=")
# Whose authorisations begin on a host that serves more than one marketplace; the user may choose another afterwards.
_FIRST_HOME: Mapping[Region, str] = {"NA": "ATVPDKIKX0DER", "EU": "A1F83G8C2ARO7P", "FE": "A1VC38T7YXB528"}
# The documentation's own example is amazon.com; the countries' own hosts stand beside sellercentral-europe, and
# sellercentral-japan beside the .co.jp one.
_ANY_REGION = frozenset({"amazon.com", "www.amazon.com"})
_COUNTRY_HOSTS = {
    "sellercentral.amazon.co.uk": "A1F83G8C2ARO7P",
    "sellercentral.amazon.de": "A1PA6795UKMFR9",
    "sellercentral.amazon.fr": "A13V1IB3VIYZZH",
    "sellercentral.amazon.it": "APJ6JRA9NG5V4",
    "sellercentral.amazon.es": "A1RKKUPIHCS9HS",
    "sellercentral-japan.amazon.com": "A1VC38T7YXB528",
}


class CallbackUri(NamedTuple):
    """An accepted URI: whose app it confirms, and the marketplace it speaks for."""

    uri: str
    region: Region
    home_marketplace_id: str


def accepted(uri: str, app_ids: Mapping[Region, str], local_origin: str = "") -> CallbackUri | None:
    """The URI if it leads to the confirmation page of one of our apps at Amazon, else None.

    `app_ids`: our application id by region. `local_origin`: the local Amazon's, where that stands in for Amazon.
    """
    found = _SHAPE.fullmatch(uri)
    if found is None or _OURS.search(uri):
        return None
    regions = [region for region, app_id in app_ids.items() if app_id and app_id == found["app"]]
    if local_origin and found["origin"] == local_origin:
        homes: Iterable[str] = _FIRST_HOME.values()
    else:
        homes = _homes(found["host"] or "")
    for home in homes:
        if (region := marketplace(home).region) in regions:
            return CallbackUri(uri, region, home)
    return None


def _homes(host: str) -> list[str]:
    """The marketplaces whose sellers may come from this host, the likeliest of each region first."""
    if host in _ANY_REGION:
        return list(_FIRST_HOME.values())
    if home := _COUNTRY_HOSTS.get(host):
        return [home]
    served = [entry.marketplace_id for entry in MARKETPLACES if entry.consent_host == host]
    return sorted(served, key=lambda marketplace_id: marketplace_id not in _FIRST_HOME.values())
