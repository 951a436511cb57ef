"""The 23 Amazon marketplaces, their regions, currencies and names (FACTS section 1)."""

from typing import Literal, NamedTuple

RegionCode = Literal["NA", "EU", "FE"]
REGION_CODES: tuple[RegionCode, ...] = ("NA", "EU", "FE")


class Marketplace(NamedTuple):
    marketplace_id: str
    country_code: str  # ISO 3166: the United Kingdom is GB, although Amazon prints UK (FACTS 1.2)
    region: RegionCode
    currency: str
    language: str
    domain: str  # after "amazon."; the marketplace's name is "Amazon.<domain>"

    @property
    def name(self) -> str:
        return f"Amazon.{self.domain}"

    @property
    def currency_exponent(self) -> int:
        return 0 if self.currency == "JPY" else 2


_ROWS = (
    Marketplace("A2EUQ1WTGCTBG2", "CA", "NA", "CAD", "en_CA", "ca"),
    Marketplace("ATVPDKIKX0DER", "US", "NA", "USD", "en_US", "com"),
    Marketplace("A1AM78C64UM0Y8", "MX", "NA", "MXN", "es_MX", "com.mx"),
    Marketplace("A2Q3Y263D00KWC", "BR", "NA", "BRL", "pt_BR", "com.br"),
    Marketplace("A28R8C7NBKEWEA", "IE", "EU", "EUR", "en_IE", "ie"),
    Marketplace("A1RKKUPIHCS9HS", "ES", "EU", "EUR", "es_ES", "es"),
    Marketplace("A1F83G8C2ARO7P", "GB", "EU", "GBP", "en_GB", "co.uk"),
    Marketplace("A13V1IB3VIYZZH", "FR", "EU", "EUR", "fr_FR", "fr"),
    Marketplace("AMEN7PMS3EDWL", "BE", "EU", "EUR", "fr_BE", "com.be"),
    Marketplace("A1805IZSGTT6HS", "NL", "EU", "EUR", "nl_NL", "nl"),
    Marketplace("A1PA6795UKMFR9", "DE", "EU", "EUR", "de_DE", "de"),
    Marketplace("APJ6JRA9NG5V4", "IT", "EU", "EUR", "it_IT", "it"),
    Marketplace("A2NODRKZP88ZB9", "SE", "EU", "SEK", "sv_SE", "se"),
    Marketplace("AE08WJ6YKNBMC", "ZA", "EU", "ZAR", "en_ZA", "co.za"),
    Marketplace("A1C3SOZRARQ6R3", "PL", "EU", "PLN", "pl_PL", "pl"),
    Marketplace("ARBP9OOSHTCHU", "EG", "EU", "EGP", "ar_AE", "eg"),
    Marketplace("A33AVAJ2PDY3EV", "TR", "EU", "TRY", "tr_TR", "com.tr"),
    Marketplace("A17E79C6D8DWNP", "SA", "EU", "SAR", "ar_AE", "sa"),
    Marketplace("A2VIGQ35RCS4UG", "AE", "EU", "AED", "en_AE", "ae"),
    Marketplace("A21TJRUUN4KGV", "IN", "EU", "INR", "en_IN", "in"),
    Marketplace("A19VAU5U5O7RUS", "SG", "FE", "SGD", "en_SG", "sg"),
    Marketplace("A39IBJ37TRP1C6", "AU", "FE", "AUD", "en_AU", "com.au"),
    Marketplace("A1VC38T7YXB528", "JP", "FE", "JPY", "ja_JP", "co.jp"),
)

MARKETPLACES: dict[str, Marketplace] = {row.marketplace_id: row for row in _ROWS}
