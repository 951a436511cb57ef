"""How the lines of a report are spelled: tabs, no quotes, and the character set of the region (FACTS 7.2, 7.3)."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from amazon_sandbox.marketplaces import Marketplace

_LINES_A_PIECE = 500
_BLANKS = str.maketrans({"\t": " ", "\r": " ", "\n": " "})

_ZONES = {
    "CA": "America/Los_Angeles",
    "US": "America/Los_Angeles",
    "MX": "America/Mexico_City",
    "BR": "America/Sao_Paulo",
    "GB": "Europe/London",
    "IE": "Europe/Dublin",
    "ZA": "Africa/Johannesburg",
    "EG": "Africa/Cairo",
    "TR": "Europe/Istanbul",
    "SA": "Asia/Riyadh",
    "AE": "Asia/Dubai",
    "IN": "Asia/Kolkata",
    "SG": "Asia/Singapore",
    "AU": "Australia/Sydney",
    "JP": "Asia/Tokyo",
}


def charset_of(marketplace: Marketplace) -> str:
    """As the Content-Type of the download says it."""
    return "Shift_JIS" if marketplace.country_code == "JP" else "Cp1252"


def pieces(lines: Iterable[list[str]], charset: str) -> Iterator[bytes]:
    """The encoded text, some hundred lines at a time; what the charset lacks is `?`, for good."""
    batch: list[str] = []
    for line in lines:
        batch.append("\t".join(line))
        if len(batch) == _LINES_A_PIECE:
            yield _encoded(batch, charset)
            batch = []
    if batch:
        yield _encoded(batch, charset)


def field(text: str) -> str:
    """No quotes protect a field, so it holds no tab and no line end."""
    return text.translate(_BLANKS)


def local_time(moment_ms: int, marketplace: Marketplace) -> str:
    """`2015-09-25 09:32:35 PDT`: the marketplace's clock and the name of its zone (FACTS 7.1)."""
    moment = datetime.fromtimestamp(moment_ms / 1000, _zone(marketplace.country_code))
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"


def utc_time(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms // 1000, UTC).isoformat()


def _encoded(lines: list[str], charset: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n").encode(charset, "replace")


@lru_cache
def _zone(country_code: str) -> ZoneInfo:
    return ZoneInfo(_ZONES.get(country_code, "Europe/Paris"))
