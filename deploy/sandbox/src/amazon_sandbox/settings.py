"""What a dial can change about this Amazon; the defaults are the delays and quotas of the real one."""

import msgspec

_LONGEST_DELAY_S = 30 * 24 * 3600


class QuotaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`scale` multiplies every rate and burst; with `enabled` false nothing is ever throttled."""

    enabled: bool = True
    scale: float = 1.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delays are seconds of the sandbox clock.

    listing_delay_s: how long an accepted listing write stays invisible to get and search (FACTS 5.6).
    shipment_delay_s: how long a confirmed shipment stays invisible to getOrder and searchOrders (FACTS 8.4.7).
    token_bytes: how long tokens are; Amazon says up to 2048 (FACTS 2.3.1).
    authorization_life_days: after so many days the seller must authorise anew (FACTS 2.3.4).
    login_uri: the apps' login URI, where authorisations go that Amazon begins (FACTS 2.2); empty is none.
    search_lag_s: searchOrders leaves out what changed in the last so many seconds (FACTS 8.2.1).
    """

    listing_delay_s: float = 120.0
    shipment_delay_s: float = 180.0
    search_lag_s: float = 120.0
    access_token_ttl_s: int = 3600
    token_bytes: int = 133
    authorization_life_days: int = 365
    quotas: QuotaSettings = QuotaSettings()
    auto_consent: bool = False
    redirect_uris: tuple[str, ...] = ()
    login_uri: str = ""


def problem_with(settings: Settings) -> str | None:
    """Why these settings make no sense, or None."""
    delays = (settings.listing_delay_s, settings.shipment_delay_s, settings.search_lag_s)
    if not all(0 <= delay <= _LONGEST_DELAY_S for delay in delays):
        return f"delays are seconds, 0 to {_LONGEST_DELAY_S}"
    if not 1 <= settings.access_token_ttl_s <= _LONGEST_DELAY_S:
        return f"access_token_ttl_s is 1 to {_LONGEST_DELAY_S}"
    if not 64 <= settings.token_bytes <= 2048:
        return "token_bytes is 64 to 2048"
    if settings.authorization_life_days < 1:
        return "authorization_life_days is 1 or more"
    if settings.quotas.scale <= 0:
        return "quotas.scale is more than 0; to lift the quotas say quotas.enabled false"
    return None
