"""The slips that orders renders comply with what compliance checks, whatever language they speak."""

from datetime import UTC, datetime

import pytest

from common.amazon.marketplaces import MARKETPLACES, Marketplace
from common.amazon.order import DeliveryAddress
from compliance_service.slips.extracting import extract
from compliance_service.slips.rules import Expected, judge
from orders_service.personal_data import PersonalData
from orders_service.slips import pdf
from orders_service.slips.languages import language_of
from orders_service.slips.slip import Packed, make

RETURN_ADDRESS = {
    "name": "Nordlicht Handel",
    "line_1": "Lagerstr. 5",
    "city": "Köln",
    "postal_code": "50667",
    "country_code": "DE",
}


@pytest.mark.row("D7")
@pytest.mark.parametrize("place", [pytest.param(place, id=place.country_code) for place in MARKETPLACES])
async def test_our_own_slip_passes_every_rule(place: Marketplace) -> None:
    language = language_of(place.marketplace_id)
    seller = "متجر الشمال" if language.is_right_to_left else "Nordlicht Handel"
    slip = make(
        language=language,
        amazon_order_id="113-1234567-7654321",
        order_date=language.date(datetime(2026, 3, 1, tzinfo=UTC)),
        seller=seller,
        return_address=RETURN_ADDRESS,
        delivery_address=DeliveryAddress(name="Canary Ada", address_line1="7 Canary Row", city="Leeds"),
        packed=[
            Packed("1", "MUG-1", "Blue mug, 0.3 l", 2),
            Packed("2", "ü/TEA 7", "A title so long that it goes over more than one line of the table " * 3, 12),
            Packed("3", "MUG-10", None, 1),
        ],
        personal=PersonalData(),
    )
    expected = Expected(
        amazon_order_id="113-1234567-7654321",
        quantities={"MUG-1": [2], "ü/TEA 7": [12], "MUG-10": [1]},
        source_names=["Grey Wholesale", "Leed", "Titles"],
        seller_of_record=seller,
        return_address=RETURN_ADDRESS,
    )
    verdict, findings = judge(await extract(pdf.render(slip, language)), expected)
    assert [finding for finding in findings if finding.outcome == "failed"] == []
    assert verdict == "complies"
    assert [finding.rule for finding in findings if finding.outcome == "not_checked"] == ["ship_to"]
