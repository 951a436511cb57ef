"""Packing slips that others made: uploaded, taken apart under limits, and judged with the reason."""

import io
import zlib
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pypdf
import pytest
import typst
from structlog.testing import capture_logs

from compliance_service.testing import Merchant

PDF = {"Content-Type": "application/pdf"}
SENDER = ("Seller Inc.", "1 Warehouse Road", "Springfield 62701")
RECIPIENT = ("Canary Ada", "7 Canary Row", "Leeds")


def slip(*lines: str, items: dict[str, int] | None = None, sender: tuple[str, ...] = SENDER) -> bytes:
    """A slip as some supplier's system might print it."""
    rows = "".join(f"[{sku}], [{quantity}]," for sku, quantity in (items or {"A": 2, "B": 1}).items())
    text = "\\\n".join(line.replace("@", "\\@").replace("/", "\\/") for line in (*sender, *RECIPIENT, *lines))
    return bytes(typst.compile(f"{text}\n#table(columns: 2, [Item], [Qty], {rows})".encode()))


async def check(merchant: Merchant, document: bytes, *, expect: int | None = None, **query: str) -> Any:
    query = {"selling_partner_id": "A1SELLER", "amazon_order_id": "O-1001"} | query
    return await merchant.call(
        "POST", "/v1/packing-slips/check", expect=expect, params=query, content=document, headers=PDF
    )


def outcomes(answer: Any) -> dict[str, str]:
    return {finding["rule"]: finding["outcome"] for finding in answer["findings"]}


@pytest.fixture
async def ordered(merchant: Merchant, channel: UUID) -> UUID:
    """Order O-1001 of two A and one B, all at the source Grey Wholesale."""
    source_id = await merchant.source("Grey Wholesale", {"A": 5, "B": 5})
    await merchant.deliver(merchant.order("O-1001", {"A": 2, "B": 1}, channel_id=channel))
    return source_id


@pytest.mark.row("D7")
@pytest.mark.fact("10.8")
async def test_a_slip_that_names_the_seller_and_nobody_else_complies(merchant: Merchant, ordered: UUID) -> None:
    with capture_logs() as logs:
        answer = await check(merchant, slip("Order O-1001"))
    assert (answer["verdict"], answer["amazon_order_id"], answer["pages"]) == ("complies", "O-1001", 1)
    assert outcomes(answer) == {
        "seller_of_record": "passed",
        "return_address": "passed",
        "order_id": "passed",
        "items": "passed",
        "quantities": "passed",
        "no_source_named": "passed",
        "no_diversion": "passed",
        "ship_to": "not_checked",
    }
    assert len(answer["document_hash"]) == 64
    assert "Canary" not in str(answer) + str(logs)


@pytest.mark.row("D7")
@pytest.mark.parametrize(
    ("rule", "document", "why"),
    [
        ("seller_of_record", slip("O-1001", sender=SENDER[1:]), "Seller Inc."),
        ("return_address", slip("O-1001", sender=("Seller Inc.", "Springfield 62701")), "1 Warehouse Road"),
        ("order_id", slip("O-100"), "O-1001"),
        ("items", slip("O-1001", items={"A": 2, "B-2": 1}), "B"),
        ("quantities", slip("O-1001", items={"A": 3, "B": 1}), "A (2)"),
        ("no_source_named", slip("O-1001", "Packed with care by GREY  wholesale"), "Grey Wholesale"),
        ("no_diversion", slip("O-1001", "Order more at www.grey.example"), "1 web or e-mail"),
        ("no_diversion", slip("O-1001", "A coupon for your next order"), "coupon"),
    ],
    ids=["seller", "return address", "order id", "item", "quantity", "source", "link", "offer"],
)
async def test_a_slip_that_breaks_a_rule_does_not_comply_and_says_which(
    merchant: Merchant, ordered: UUID, rule: str, document: bytes, why: str
) -> None:
    answer = await check(merchant, document)
    assert answer["verdict"] == "does_not_comply"
    (failed,) = [finding for finding in answer["findings"] if finding["outcome"] == "failed"]
    assert failed["rule"] == rule
    assert why in failed["detail"]
    assert failed["fix"]


@pytest.mark.row("D7")
async def test_amazons_own_addresses_lead_nobody_away(merchant: Merchant, ordered: UUID) -> None:
    answer = await check(
        merchant, slip("O-1001", "Questions? https://www.amazon.co.uk/contact or x@marketplace.amazon.de")
    )
    assert outcomes(answer)["no_diversion"] == "passed"


@pytest.mark.row("D7")
async def test_a_sources_part_of_a_split_order_is_checked_by_what_it_ships(merchant: Merchant, channel: UUID) -> None:
    first = await merchant.source("First", {"A": 2})
    second = await merchant.source("Second", {"B": 1})
    idle = await merchant.source("Idle", {"Z": 1})
    await merchant.deliver(merchant.order("O-1001", {"A": 2, "B": 1}, channel_id=channel))
    part = slip("O-1001", items={"A": 2})

    assert (await check(merchant, part, source_id=str(first)))["verdict"] == "complies"
    assert outcomes(await check(merchant, part))["items"] == "failed"
    assert outcomes(await check(merchant, part, source_id=str(second)))["items"] == "failed"
    problem = await check(merchant, part, source_id=str(idle), expect=409)
    assert problem["type"] == "/problems/source-not-asked"


@pytest.mark.row("D7")
async def test_what_compliance_does_not_know_is_said_and_leaves_the_verdict_open(merchant: Merchant) -> None:
    channel = uuid4()
    await merchant.deliver(merchant.connection(channel, return_address=None))
    await merchant.source("X", {"A": 2})
    await merchant.deliver(merchant.order("O-1001", {"A": 2}, channel_id=channel), merchant.order("O-1002", {"A": 1}))

    known = await check(merchant, slip("O-1001", items={"A": 2}))
    unknown = await check(merchant, slip("O-1002", items={"A": 1}), amazon_order_id="O-1002")

    assert known["verdict"] == unknown["verdict"] == "undecided"
    assert (outcomes(known)["seller_of_record"], outcomes(known)["return_address"]) == ("passed", "not_checked")
    assert outcomes(known)["short_source_names"] == "not_checked"
    assert outcomes(unknown)["seller_of_record"] == "not_checked"


@pytest.mark.row("D7")
@pytest.mark.edge(22)
async def test_another_accounts_orders_and_sources_do_not_exist(
    new_merchant: Callable[[], Merchant], merchant: Merchant, ordered: UUID
) -> None:
    other = new_merchant()
    await check(other, slip("O-1001"), expect=404)
    await other.deliver(other.order("O-1001", {"A": 2}))
    await check(other, slip("O-1001"), source_id=str(ordered), expect=404)
    # Nor is their seller's name asked for, nor their sources' names found.
    named = outcomes(await check(other, slip("O-1001", "Grey Wholesale")))
    assert (named["seller_of_record"], named["no_source_named"]) == ("not_checked", "passed")


@pytest.mark.row("D7")
@pytest.mark.row("C10")
async def test_an_order_that_amazon_ships_has_no_slip_to_check(merchant: Merchant, channel: UUID) -> None:
    await merchant.deliver(merchant.order("O-1001", {"A": 1}, channel_id=channel, fulfilled_by="AMAZON"))
    problem = await check(merchant, slip("O-1001"), expect=409)
    assert problem["type"] == "/problems/fulfilled-by-amazon"


def encrypted(document: bytes) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(document))
    writer.encrypt("secret", algorithm="RC4-128")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def with_pages(number: int) -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(number):
        writer.add_blank_page(width=72, height=72)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def with_content(content: bytes) -> bytes:
    """A one-page PDF whose page says this, deflated."""
    packed = zlib.compress(content, 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    file, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj%s endobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Root 1 0 R/Size 6>>\nstartxref\n%d\n%%%%EOF" % len(file)
    return file + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


@pytest.mark.row("D7")
@pytest.mark.parametrize(
    ("document", "status", "slug"),
    [
        (b"", 400, "not-pdf"),
        (b"GIF89a", 400, "not-pdf"),
        (b"\x00" * 2000 + b"%PDF-1.7", 400, "not-pdf"),
        (b"%PDF-1.7 and then nothing", 400, "pdf-unreadable"),
        (slip("O-1001")[:3000], 400, "pdf-unreadable"),
        (encrypted(slip("O-1001")), 400, "pdf-encrypted"),
        (b"%PDF-" + b"\x00" * (5 * 2**20), 413, "slip-too-large"),
        (with_pages(51), 400, "pdf-too-complex"),
        (with_content(b"(A) Tj " * 12_000_000), 400, "pdf-too-complex"),
        (with_content(b"BT /F 9 Tf 9 9 Td " + b"(A) Tj " * 500_000 + b"ET"), 400, "pdf-too-complex"),
        (with_content(b"BT /F 9 Tf 9 9 Td " + b"(A) Tj " * 290_000 + b"ET"), 400, "pdf-too-complex"),
        (with_pages(1), 400, "pdf-without-text"),
    ],
    ids=["empty", "gif", "late", "bare", "cut", "encrypted", "large", "pages", "bomb", "long", "slow", "blank"],
)
async def test_what_is_no_readable_slip_is_refused_with_the_reason(
    merchant: Merchant, ordered: UUID, document: bytes, status: int, slug: str
) -> None:
    problem = await check(merchant, document, expect=status)
    assert problem["type"] == f"/problems/{slug}"
    assert problem["fix"]


async def test_a_body_of_another_declared_type_is_refused_before_it_is_read(merchant: Merchant, ordered: UUID) -> None:
    path = "/v1/packing-slips/check"
    query = {"selling_partner_id": "A1SELLER", "amazon_order_id": "O-1001"}
    headers = {"Content-Type": "text/html"}
    problem = await merchant.call("POST", path, expect=400, params=query, content=slip("O-1001"), headers=headers)
    assert problem["type"] == "/problems/not-pdf"
