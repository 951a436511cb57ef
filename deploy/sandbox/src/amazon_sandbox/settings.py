"""What a dial can change about this Amazon; the defaults are the delays and quotas of the real one."""

from urllib.parse import urlsplit

import msgspec

_LONGEST_DELAY_S = 30 * 24 * 3600


class QuotaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`scale` multiplies every rate and burst; with `enabled` false nothing is ever throttled.

    `header_share`: the part of the answers that carry the rate limit header; Amazon leaves it out of many (FACTS 3.3).
    """

    enabled: bool = True
    scale: float = 1.0
    header_share: float = 1.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delays are seconds of the sandbox clock.

    listing_delay_s: how long an accepted listing write stays invisible to get and search (FACTS 5.6).
    shipment_delay_s: how long a confirmed shipment stays invisible to getOrder and searchOrders (FACTS 8.4.7).
    token_bytes: how long tokens are; Amazon says up to 2048 (FACTS 2.3.1).
    check_ship_dates: whether confirmShipment refuses a ship date in the future or before the order (FACTS 8.4.5,
    which is remembered and not read: so it is off).
    authorization_life_days: after so many days the seller must authorise anew (FACTS 2.3.4).
    login_uri: the apps' login URI, where authorisations go that Amazon begins (FACTS 2.2); empty is none.
    search_lag_s: searchOrders leaves out what changed in the last so many seconds (FACTS 8.2.1).
    feed_queue_s, feed_processing_s: how long a feed is IN_QUEUE at least, and then IN_PROGRESS (FACTS 6.3).
    report_queue_s, report_processing_s: the same for a report.
    report_cooldown_s: a report asked for again within that time of the last DONE one is CANCELLED (PAINS 16).
    gzip_documents: results of feeds and reports are compressed, with compressionAlgorithm GZIP.
    """

    listing_delay_s: float = 120.0
    shipment_delay_s: float = 180.0
    search_lag_s: float = 120.0
    check_ship_dates: bool = False
    feed_queue_s: float = 15.0
    feed_processing_s: float = 60.0
    report_queue_s: float = 10.0
    report_processing_s: float = 30.0
    report_cooldown_s: float = 900.0
    gzip_documents: bool = True
    access_token_ttl_s: int = 3600
    token_bytes: int = 133
    authorization_life_days: int = 365
    quotas: QuotaSettings = QuotaSettings()
    auto_consent: bool = False
    redirect_uris: tuple[str, ...] = ()
    login_uri: str = ""


def problem_with(settings: Settings) -> str | None:
    """Why these settings make no sense, or None."""
    delays = [value for name, value in msgspec.structs.asdict(settings).items() if isinstance(value, float)]
    if not all(0 <= delay <= _LONGEST_DELAY_S for delay in delays):
        return f"delays are seconds, 0 to {_LONGEST_DELAY_S}"
    if not 1 <= settings.access_token_ttl_s <= _LONGEST_DELAY_S:
        return f"access_token_ttl_s is 1 to {_LONGEST_DELAY_S}"
    if not 64 <= settings.token_bytes <= 2048:
        return "token_bytes is 64 to 2048"
    if settings.authorization_life_days < 1:
        return "authorization_life_days is 1 or more"
    if not all(map(_is_uri, (*settings.redirect_uris, settings.login_uri))):
        return "redirect_uris and login_uri are URIs"
    if settings.quotas.scale <= 0:
        return "quotas.scale is more than 0; to lift the quotas say quotas.enabled false"
    if not 0 <= settings.quotas.header_share <= 1:
        return "quotas.header_share is 0 to 1"
    return None


def _is_uri(text: str) -> bool:
    """Whether the consent page can send a browser there."""
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True
