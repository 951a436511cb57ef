"""How slips look and what they say in every marketplace's language, read back from the paper itself."""

import io
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pypdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.image import PNGImageSnapshotExtension

from common.amazon.marketplaces import MARKETPLACES, Marketplace
from common.amazon.order import AddressExtendedFields, DeliveryAddress, GiftOption
from orders_service.personal_data import ItemPersonalData, PersonalData
from orders_service.slips import html, pdf
from orders_service.slips.addresses import lines, of_business, of_delivery
from orders_service.slips.languages import WORDS, Language, language_of
from orders_service.slips.slip import Packed, Slip, is_right_to_left, make, named, paragraphs, plain

SELLER = "Nordlicht Handel"
RETURN_ADDRESS = {
    "name": "Nordlicht Handel",
    "line_1": "Lagerstr. 5",
    "city": "Köln",
    "postal_code": "50667",
    "country_code": "DE",
}
NIGHT = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
BY_COUNTRY = {place.country_code: place for place in MARKETPLACES}
EVERY_MARKETPLACE = [pytest.param(place, id=place.country_code) for place in MARKETPLACES]


def slip_of(language: Language, *, seller: str = SELLER, gift: str = "", **recipient: Any) -> Slip:
    address = {"name": "Canary Ada", "address_line1": "7 Canary Row", "city": "Leeds", "postal_code": "LS1 1UR"}
    return make(
        language=language,
        amazon_order_id="113-1234567-7654321",
        order_date=language.date(NIGHT),
        seller=seller,
        return_address=RETURN_ADDRESS,
        delivery_address=DeliveryAddress(**address | {"country_code": language.territory} | recipient),
        packed=[Packed("1", "MUG-1", "Blue mug, 0.3 l", 2), Packed("2", "ü/TEA 7", None, 12)],
        personal=PersonalData(
            items=(ItemPersonalData(order_item_id="1", gift_option=GiftOption(gift_message=gift)),) if gift else ()
        ),
    )


def text_of(document: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages)


LAYOUT_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "div", "section", "address"),
    *("h1", "h2", "p", "dl", "dt", "dd", "bdi", "strong", "table", "thead", "tbody", "tr", "th", "td"),
}


class Seen(HTMLParser):
    """A page as a browser takes it: which tags there are, and the texts between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def picture_of(document: bytes) -> bytes:
    """The first page as a small grey PNG; Typst, its fonts and PDFium are pinned, so each pixel is known."""
    file = pypdfium2.PdfDocument(document)
    bitmap = file[0].render(scale=1, grayscale=True)
    png = io.BytesIO()
    bitmap.to_pil().save(png, "png", optimize=True)
    file.close()
    return png.getvalue()


@pytest.mark.row("D7")
@pytest.mark.fact("1")
@pytest.mark.parametrize("place", EVERY_MARKETPLACE)
def test_a_slip_speaks_the_marketplaces_language_and_says_all_that_it_must(place: Marketplace) -> None:
    language = language_of(place.marketplace_id)
    slip = slip_of(language)
    page, said = html.render(slip, language), text_of(pdf.render(slip, language))
    words = WORDS[place.default_language.partition("_")[0]]
    labels = (words.title, words.seller, words.return_address, words.ship_to, words.order_id, words.order_date)
    for label in (*labels, words.quantity, words.item):
        assert label.replace("'", "&#39;") in page
        # Text that runs to the left is read back word by word: extraction gives the words in the order of the paper.
        for word in label.split() if language.is_right_to_left else [label]:
            assert word in said, f"{word} is not on the PDF"
    for fact in ("113-1234567-7654321", SELLER, "Lagerstr. 5", "50667 Köln", "Canary Ada", "7 Canary Row", "LS1 1UR"):
        assert fact in said
        assert fact in page
    for fact in ("MUG-1", "ü/TEA 7", "Blue mug, 0.3 l", "12"):
        assert fact in said
        assert fact in page
    assert f'lang="{language.code}-{language.territory}"' in page
    assert ('dir="rtl"' in page) == (place.default_language == "ar_AE")


@pytest.mark.row("D7")
@pytest.mark.parametrize("country", ["US", "DE", "PL", "TR", "SA", "JP"])
def test_a_slip_looks_as_it_was_approved_to_the_pixel(country: str, snapshot: SnapshotAssertion) -> None:
    language = language_of(BY_COUNTRY[country].marketplace_id)
    recipient = {
        "US": {"name": "Canary Ada Birch", "city": "Seattle", "state_or_region": "WA", "postal_code": "98101"},
        "DE": {"name": "Canary Jörg Fuß", "city": "Jena", "postal_code": "07743"},
        "PL": {"name": "Canary Łucja Żółć", "city": "Gdańsk", "postal_code": "80-001"},
        "TR": {"name": "Canary Işıl Öğüt", "city": "İzmir", "state_or_region": "İzmir", "postal_code": "35210"},
        "SA": {"name": "محمد عبد الله", "address_line1": "شارع الملك فهد 12", "city": "جدة", "postal_code": "21442"},
        "JP": {"name": "山田 太郎 様", "address_line1": "大通西1丁目", "city": "札幌市", "state_or_region": "北海道"},
    }[country]
    document = pdf.render(slip_of(language, gift="Alles Gute\nمبروك 御祝", **recipient), language)
    assert picture_of(document) == snapshot(extension_class=PNGImageSnapshotExtension)


@pytest.mark.row("D7")
def test_the_same_slip_is_the_same_pdf_and_tells_no_time_and_no_author_but_the_seller() -> None:
    language = language_of(BY_COUNTRY["UK"].marketplace_id)
    first, second = (pdf.render(slip_of(language), language) for _ in range(2))
    assert first == second
    metadata = pypdf.PdfReader(io.BytesIO(first)).metadata
    assert metadata is not None
    assert (metadata.author, metadata.creation_date) == (SELLER, datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.row("D7")
def test_a_long_order_goes_over_pages_that_each_name_the_order() -> None:
    language = language_of(BY_COUNTRY["US"].marketplace_id)
    items = [Packed(str(number), f"SKU-{number:03}", "A thing " * 20, number + 1) for number in range(120)]
    one = slip_of(language)
    slip = make(
        language=language,
        amazon_order_id=one.amazon_order_id,
        order_date=one.order_date,
        seller=SELLER,
        return_address=RETURN_ADDRESS,
        delivery_address=DeliveryAddress(name="Canary Ada"),
        packed=items,
        personal=PersonalData(),
    )
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf.render(slip, language))).pages]
    assert len(pages) > 3
    assert all("113-1234567-7654321" in page and "Quantity" in page for page in pages)
    said = "\n".join(pages)
    assert all(item.sku in said for item in items)


def test_the_order_date_is_the_day_that_the_buyer_saw() -> None:
    dates = {country: language_of(BY_COUNTRY[country].marketplace_id).date(NIGHT) for country in ("US", "DE", "JP")}
    assert dates == {"US": "February 28, 2026", "DE": "1. März 2026", "JP": "2026年3月1日"}
    assert language_of("A-NEW-STORE").date(NIGHT) == "March 1, 2026"


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("US", ["Ada", "1 Row", "Lyon, ST 123", "United States"]),
        ("GB", ["Ada", "1 Row", "Lyon", "ST", "123", "United Kingdom"]),
        ("FR", ["Ada", "1 Row", "123 Lyon", "ST", "France"]),
        ("IT", ["Ada", "1 Row", "123 Lyon ST", "Italy"]),
        ("BR", ["Ada", "1 Row", "Lyon - ST", "123", "Brazil"]),
        ("JP", ["Japan", "〒123", "ST Lyon", "1 Row", "Ada"]),
        ("XX", ["Ada", "1 Row", "123 Lyon", "ST", "XX"]),
        ("", ["Ada", "1 Row", "123 Lyon", "ST"]),
    ],
)
def test_an_address_stands_in_the_order_of_its_country(country: str, expected: list[str]) -> None:
    given_address = DeliveryAddress(
        name="Ada",
        address_line1="1 Row",
        city="Lyon",
        state_or_region="ST",
        postal_code="123",
        country_code=country,
        phone="+1 555",
    )
    assert list(lines(of_delivery(given_address), language_of(BY_COUNTRY["UK"].marketplace_id))) == expected


def test_no_part_of_an_address_is_lost_and_none_is_written_twice() -> None:
    language = language_of(BY_COUNTRY["BR"].marketplace_id)
    brazilian = DeliveryAddress(
        name="Ada",
        company_name="Ada",
        address_line1="Rua das Flores 12",
        address_line3="Bloco B",
        city="Recife",
        municipality="Recife",
        district_or_county="Boa Vista",
        state_or_region="Recife",
        country_code="BR",
        extended_fields=AddressExtendedFields(
            street_name="Rua das Flores", street_number="12", complement="Apto 3", neighborhood="Bloco B"
        ),
    )
    assert list(lines(of_delivery(brazilian), language)) == [
        *("Ada", "Rua das Flores 12", "Bloco B", "Apto 3", "Boa Vista", "Recife", "Brasil"),
    ]


def test_the_return_address_begins_with_the_seller() -> None:
    assert of_business(RETURN_ADDRESS | {"name": "Returns dock"}, SELLER).names == (SELLER, "Returns dock")
    assert of_business(RETURN_ADDRESS | {"name": f"{SELLER} returns"}, SELLER).names == (f"{SELLER} returns",)


def test_a_source_is_named_by_whole_words_whatever_their_case() -> None:
    assert named(["Grey", "Blue"], ["c/o GREY, dock 4"]) == "Grey"
    assert named(["Grey", "", " "], ["Greyhound Ltd"]) is None


def test_controls_and_marks_that_turn_text_around_are_not_printed() -> None:
    assert plain("a\x00b\u202ec\u2066d\ufeff\r\ne") == "a b c d e"
    assert paragraphs("one\r\ntwo\u2028three\x07") == "one\ntwo\nthree"
    assert [is_right_to_left(text) for text in ("12 מ", "Ada مرحبا", "(!)", "")] == [True, False, False, False]


SAID = {
    "postal mark": "〒150-0001",
    "Thai": "สมชาย ใจดี",
    "Korean": "홍길동",
    "Chinese": "张伟 張偉",
    "Hebrew": "שלום עולם",
    "Armenian": "Բարեւ",
    "Georgian": "გამარჯობა",
    "Greek and Cyrillic": "Γειά Привет",
    "Hindi": "नमस्ते",
    "Bengali": "বাংলা",
    "Tamil": "வணக்கம்",
    "Amharic": "ሰላም",
    "Khmer": "សួស្តី",
    "Burmese": "မင်္ဂလာပါ",
    "a present": "Yay \U0001f381 !",
    "a heart in red": "I \u2764\ufe0f you",
    "a skin tone": "\U0001f44d\U0001f3fd",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "a flag": "\U0001f1ef\U0001f1f5",
    "a key cap": "1\ufe0f\u20e3",
    "symbols": "★ ♥ ☎ ✓ ♫ ☺ →",
}


@pytest.mark.edge(50)
@pytest.mark.parametrize("text", SAID.values(), ids=SAID)
def test_every_living_script_symbols_and_emoji_are_printed_and_no_box_is(text: str) -> None:
    language = language_of(BY_COUNTRY["JP"].marketplace_id)
    document = pdf.render(slip_of(language, name=f"Ada {text}", gift=text), language)
    assert "□" not in text_of(document)


@pytest.mark.edge(50)
@pytest.mark.parametrize("text", ["\U00012000", "\ue000", "\U0001f6ff"], ids=["cuneiform", "private", "new"])
def test_what_no_font_has_refuses_the_pdf_before_it_is_made_and_html_has_it(text: str) -> None:
    language = language_of(BY_COUNTRY["US"].marketplace_id)
    with pytest.raises(pdf.Unprintable) as refused:
        pdf.render(slip_of(language, name=f"Canary {text}"), language)
    assert "Canary" not in str(refused.value.body())
    assert f"Canary {text}" in html.render(slip_of(language, name=f"Canary {text}"), language)


@settings(max_examples=25, deadline=None)
@given(name=st.text(max_size=60), gift=st.text(max_size=200), seller=st.text(min_size=1, max_size=60))
def test_no_name_breaks_a_slip_and_none_is_taken_for_markup(name: str, gift: str, seller: str) -> None:
    language = language_of(BY_COUNTRY["US"].marketplace_id)
    slip = slip_of(language, name=name, gift=gift, seller=seller)
    page = html.render(slip, language)
    seen = Seen(page)
    assert seen.tags <= LAYOUT_TAGS
    for text in filter(None, (*slip.ship_to, slip.seller, slip.items[0].gift_message)):
        assert text in seen.texts
    try:
        document = pdf.render(slip, language)
    except pdf.Unprintable:
        return
    assert "113-1234567-7654321" in text_of(document)


@pytest.mark.parametrize("name", ['#eval("1")', "*bold* _it_ $x$", "= Heading", "<b>&amp;", '"}], "ship_to": [{', "\\"])
def test_layout_language_in_a_name_is_only_text(name: str) -> None:
    language = language_of(BY_COUNTRY["US"].marketplace_id)
    slip = slip_of(language, name=name)
    assert name in text_of(pdf.render(slip, language))
    assert name in Seen(html.render(slip, language)).texts
