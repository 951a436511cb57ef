"""In which language, with which dates and on which paper a marketplace's slips are printed (FACTS 1: our own data).

The language is the marketplace's default one; dates and countries are told by CLDR for that language in that country.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date

from common.amazon.marketplaces import is_marketplace, marketplace


@dataclass(frozen=True, slots=True)
class Words:
    """The printed labels of a slip in one language."""

    title: str
    seller: str
    return_address: str
    ship_to: str
    order_id: str
    order_date: str
    quantity: str
    item: str
    gift_message: str


WORDS: Mapping[str, Words] = {
    "en": Words(
        *("Packing slip", "Seller of record", "Return address", "Ship to", "Order ID", "Order date"),
        *("Quantity", "Item", "Gift message"),
    ),
    "es": Words(
        *("Albarán", "Vendedor", "Dirección de devolución", "Enviar a", "Número de pedido", "Fecha del pedido"),
        *("Cantidad", "Artículo", "Mensaje de regalo"),
    ),
    "pt": Words(
        *("Lista de embalagem", "Vendedor", "Endereço de devolução", "Enviar para", "Número do pedido"),
        *("Data do pedido", "Quantidade", "Item", "Mensagem de presente"),
    ),
    "fr": Words(
        *("Bon de livraison", "Vendeur", "Adresse de retour", "Adresse de livraison", "Numéro de commande"),
        *("Date de commande", "Quantité", "Article", "Message cadeau"),
    ),
    "nl": Words(
        *("Pakbon", "Verkoper", "Retouradres", "Verzendadres", "Bestelnummer", "Besteldatum"),
        *("Aantal", "Artikel", "Cadeaubericht"),
    ),
    "de": Words(
        *("Lieferschein", "Verkäufer", "Rücksendeadresse", "Lieferadresse", "Bestellnummer", "Bestelldatum"),
        *("Menge", "Artikel", "Geschenknachricht"),
    ),
    "it": Words(
        *("Bolla di accompagnamento", "Venditore", "Indirizzo per i resi", "Indirizzo di spedizione"),
        *("Numero d'ordine", "Data dell'ordine", "Quantità", "Articolo", "Messaggio regalo"),
    ),
    "sv": Words(
        *("Följesedel", "Säljare", "Returadress", "Leveransadress", "Beställningsnummer", "Beställningsdatum"),
        *("Antal", "Artikel", "Presentmeddelande"),
    ),
    "pl": Words(
        *("Specyfikacja przesyłki", "Sprzedawca", "Adres zwrotu", "Adres dostawy", "Numer zamówienia"),
        *("Data zamówienia", "Ilość", "Produkt", "Wiadomość do prezentu"),
    ),
    "tr": Words(
        *("Paket içeriği", "Satıcı", "İade adresi", "Teslimat adresi", "Sipariş numarası", "Sipariş tarihi"),
        *("Adet", "Ürün", "Hediye mesajı"),
    ),
    "ar": Words(
        *("قائمة التعبئة", "البائع", "عنوان الإرجاع", "عنوان الشحن", "رقم الطلب", "تاريخ الطلب"),
        *("الكمية", "المنتج", "رسالة الهدية"),
    ),
    "ja": Words(
        *("納品書", "販売者", "返品先住所", "お届け先", "注文番号", "注文日", "数量", "商品", "ギフトメッセージ"),
    ),
}

# By country: a purchase at night belongs to the day that the buyer saw. Countries with several zones: Amazon's own.
_ZONES: Mapping[str, str] = {
    "CA": "America/Los_Angeles",
    "US": "America/Los_Angeles",
    "MX": "America/Mexico_City",
    "BR": "America/Sao_Paulo",
    "IE": "Europe/Dublin",
    "ES": "Europe/Madrid",
    "UK": "Europe/London",
    "FR": "Europe/Paris",
    "BE": "Europe/Brussels",
    "NL": "Europe/Amsterdam",
    "DE": "Europe/Berlin",
    "IT": "Europe/Rome",
    "SE": "Europe/Stockholm",
    "ZA": "Africa/Johannesburg",
    "PL": "Europe/Warsaw",
    "EG": "Africa/Cairo",
    "TR": "Europe/Istanbul",
    "SA": "Asia/Riyadh",
    "AE": "Asia/Dubai",
    "IN": "Asia/Kolkata",
    "SG": "Asia/Singapore",
    "AU": "Australia/Sydney",
    "JP": "Asia/Tokyo",
}
_LETTER_PAPER = ("CA", "US", "MX")


@dataclass(frozen=True, slots=True)
class Language:
    """How a marketplace's slips speak. `paper` is Typst's and CSS's name of it in lower case."""

    words: Words
    locale: Locale
    zone: ZoneInfo
    paper: str

    @property
    def code(self) -> str:
        return self.locale.language

    @property
    def territory(self) -> str:
        return self.locale.territory or ""

    @property
    def is_right_to_left(self) -> bool:
        return self.locale.text_direction == "rtl"

    def date(self, instant: datetime) -> str:
        """The day of an aware instant, as it is written out there."""
        return format_date(instant.astimezone(self.zone), "long", locale=self.locale)

    def country(self, code: str) -> str:
        """A country's name by its ISO code; what CLDR does not know stays a code."""
        return str(self.locale.territories.get(code.upper(), code))


@cache
def language_of(marketplace_id: str) -> Language:
    """The marketplace's language; an id that is no Amazon store's is spoken to in English, with UTC dates."""
    if not is_marketplace(marketplace_id):
        return Language(WORDS["en"], Locale("en"), ZoneInfo("UTC"), "a4")
    place = marketplace(marketplace_id)
    spoken = place.default_language.partition("_")[0]
    territory = "GB" if place.country_code == "UK" else place.country_code
    paper = "us-letter" if place.country_code in _LETTER_PAPER else "a4"
    return Language(WORDS[spoken], Locale(spoken, territory), ZoneInfo(_ZONES[place.country_code]), paper)
