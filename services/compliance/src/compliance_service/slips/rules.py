"""Pure: whether a slip's text complies with clause (j) and why not (MISSION D7, FACTS 10.8).

What is told of a finding never quotes the slip: a buyer's name and address stand on it.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

Outcome = Literal["passed", "failed", "not_checked"]
Verdict = Literal["complies", "does_not_comply", "undecided"]


class SlipText(msgspec.Struct, frozen=True):
    """What was found in a PDF: its text in reading order, its rows as they lie on the paper, links and pictures."""

    pages: int
    text: str
    rows: str
    links: tuple[str, ...]
    pictures: int

    def __repr__(self) -> str:
        return "SlipText(...)"


class Finding(msgspec.Struct, frozen=True):
    """One rule's outcome; `fix` is empty when there is nothing to do."""

    rule: str
    outcome: Outcome
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """What compliance knows that a slip must and must not say. `quantities` are by SKU, each of its order items."""

    amazon_order_id: str
    quantities: Mapping[str, Sequence[int]]
    source_names: Sequence[str]
    seller_of_record: str | None = None
    return_address: Mapping[str, str | None] = field(default_factory=dict)


def judge(slip: SlipText, expected: Expected) -> tuple[Verdict, list[Finding]]:
    """The verdict and every rule's finding. `undecided`: nothing is wrong, but what it must say is not known here."""
    said = _folded(f"{slip.text}\n{slip.rows}")
    findings = [
        _seller(said, expected),
        _return_address(said, expected),
        _order_id(said, expected),
        *_items(slip, expected),
        *_sources(said, expected),
        _diversion(slip, expected),
        Finding("ship_to", "not_checked", "Only the orders service knows the recipient", _SHIP_TO_FIX),
    ]
    if slip.pictures:
        what = f"{slip.pictures} picture(s) were not looked at: none may show a supplier's name or advertise"
        findings.append(Finding("pictures", "not_checked", what))
    if any(finding.outcome == "failed" for finding in findings):
        return "does_not_comply", findings
    undecided = any(f.outcome == "not_checked" and f.rule in ("seller_of_record", "return_address") for f in findings)
    return ("undecided" if undecided else "complies"), findings


_CHANNEL_FIX = "Set it with PATCH /v1/channels/{id} of the auth service"
_SHIP_TO_FIX = "Compare it with GET /v1/orders/{id}/packing-slip of the orders service, which makes complying slips"


def _seller(said: str, expected: Expected) -> Finding:
    rule, seller = "seller_of_record", expected.seller_of_record
    if not seller:
        return Finding(rule, "not_checked", "The order's channel does not say who sells", _CHANNEL_FIX)
    if _is_in(said, seller):
        return Finding(rule, "passed", f"The seller of record is named: {seller}")
    return Finding(
        rule, "failed", f"The seller of record is not named: {seller}", "Print the seller's name as the sender"
    )


def _return_address(said: str, expected: Expected) -> Finding:
    rule, address = "return_address", expected.return_address
    if not address:
        return Finding(rule, "not_checked", "The order's channel has no return address", _CHANNEL_FIX)
    parts = [address.get(name) for name in ("line_1", "line_2", "city", "postal_code")]
    missing = [part for part in parts if part and not _is_in(said, part)]
    if missing:
        what = f"The seller's return address is not whole; missing: {', '.join(missing)}"
        return Finding(rule, "failed", what, "Print the channel's return address")
    return Finding(rule, "passed", "The seller's return address is there")


def _order_id(said: str, expected: Expected) -> Finding:
    if _is_in(said, expected.amazon_order_id):
        return Finding("order_id", "passed", "The order id is there")
    what = f"The order id is not there: {expected.amazon_order_id}"
    return Finding("order_id", "failed", what, "Print Amazon's order id")


def _items(slip: SlipText, expected: Expected) -> Iterable[Finding]:
    """Every item is there by its SKU, with its quantity beside it."""
    rows = [_plain(row) for row in slip.rows.split("\n")]
    whole = _plain(slip.text)
    places = {sku: _places(sku, rows) for sku in expected.quantities}
    missing = [sku for sku in expected.quantities if not places[sku] and not _sku(sku).search(whole)]
    if missing:
        what = f"Not found by their SKU: {_listed(missing)}"
        yield Finding("items", "failed", what, "Print each item with its SKU; a source's part: add ?source_id=")
    else:
        yield Finding("items", "passed", f"All items are there: {len(expected.quantities)}")
    occupied = {place for found in places.values() for place in found}
    wrong, unread = [], []
    for sku, quantities in expected.quantities.items():
        if sku in missing:
            continue
        numbers = _numbers_beside(places[sku], occupied, rows)
        if not numbers:
            unread.append(sku)
        elif not numbers & {*quantities, sum(quantities)}:
            wrong.append(f"{sku} ({' + '.join(map(str, quantities))})")
    if wrong:
        what = f"Another quantity than was ordered stands beside: {_listed(wrong)}"
        yield Finding("quantities", "failed", what, "Print the quantity in the item's row")
    elif unread:
        what = f"No quantity could be read beside: {_listed(unread)}"
        yield Finding("quantities", "not_checked", what, "Print the quantity as a number of its own in the item's row")
    elif len(missing) < len(expected.quantities):
        yield Finding("quantities", "passed", "The quantities are those of the order")


_ROWS_ABOVE, _ROWS_BELOW = 4, 2
_CELL_ENDS = re.compile(r"\s{2,}|\t|\|")
_COUNT = re.compile(r"(?:[x×]\s?)?(\d{1,6})(?:\s?[x×])?(?:\s?(?:pcs?|st|stk|szt|ud|un|個|点)\.?)?", re.IGNORECASE)


def _places(sku: str, rows: Sequence[str]) -> list[int]:
    return [number for number, row in enumerate(rows) if _sku(sku).search(row)]


def _numbers_beside(places: Sequence[int], occupied: set[int], rows: Sequence[str]) -> set[int]:
    """The whole numbers that have a cell of their own in the item's row, or else in the nearest row around it that is
    no other item's."""
    found: set[int] = set()
    for place in places:
        above = range(place - 1, max(-1, place - 1 - _ROWS_ABOVE), -1)
        below = range(place + 1, min(len(rows), place + 1 + _ROWS_BELOW))
        for near in ([place], _until(above, occupied), _until(below, occupied)):
            numbers = next((numbers for row in near if (numbers := _counts(rows[row]))), set())
            if numbers:
                found |= numbers
                break
    return found


def _until(rows: Iterable[int], occupied: set[int]) -> list[int]:
    free: list[int] = []
    for row in rows:
        if row in occupied:
            break
        free.append(row)
    return free


def _counts(row: str) -> set[int]:
    cells = (cell.strip() for cell in _CELL_ENDS.split(row.strip()))
    return {int(match[1]) for cell in cells if (match := _COUNT.fullmatch(cell))}


def _sources(said: str, expected: Expected) -> Iterable[Finding]:
    """No source of the account is named, unless its name is part of the seller's own."""
    own = [expected.seller_of_record or "", *(part or "" for part in expected.return_address.values())]
    rest = _without(said, (*own, *expected.quantities))
    named, unsure = [], []
    for name in expected.source_names:
        folded = _folded(name)
        if any(_words(folded).search(_folded(text)) for text in own):
            continue
        if len(folded.replace(" ", "")) < 3:
            unsure.append(name)
        elif _words(folded).search(rest):
            named.append(name)
    if named:
        what = f"It names sources of this account: {_listed(named)}"
        fix = "Leave them out; when it is an item's title that bears the name, look at it yourself"
        yield Finding("no_source_named", "failed", what, fix)
    else:
        yield Finding("no_source_named", "passed", "No source of this account is named in its text")
    if unsure:
        what = f"Too short to be told from other text: {_listed(unsure)}"
        yield Finding("short_source_names", "not_checked", what)


# A web address, or an e-mail address, that is not Amazon's leads the buyer away.
_LEADS_AWAY = re.compile(
    r"(?:https?://|www\.)[^\s]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|shop|store|online|info|biz|io|eu|co\.uk|co\.jp|com\.\w\w)\b"
)
_AMAZON = re.compile(r"(?:^|[@./])amazon(?:\.[a-z]{2,3}){1,2}(?:[/?#:]|$)|@marketplace\.amazon\.")
_OFFERS = (
    *("coupon", "promo code", "discount code", "voucher code", "your next order", "gutschein", "rabattcode"),
    *("code promo", "bon de réduction", "código de descuento", "cupón", "código promocional", "cupom", "buono sconto"),
    *(
        "codice sconto",
        "kortingscode",
        "rabattkod",
        "kod rabatowy",
        "indirim kodu",
        "クーポン",
        "割引コード",
        "كود خصم",
    ),
)


def _diversion(slip: SlipText, expected: Expected) -> Finding:
    """No address but Amazon's, and no offer for a next purchase."""
    own = filter(None, (expected.seller_of_record, *expected.return_address.values(), *expected.quantities))
    text = _without(_folded(slip.text), own)
    addresses = [*_LEADS_AWAY.findall(text), *(link.casefold() for link in slip.links)]
    away = sum(not _AMAZON.search(address.rstrip(".,;)")) for address in addresses)
    offers = [offer for offer in _OFFERS if _words(_folded(offer)).search(text)]
    if not away and not offers:
        return Finding("no_diversion", "passed", "No web or e-mail address but Amazon's, and no offer that we know")
    parts = [f"{away} web or e-mail address(es) that are not Amazon's"] if away else []
    parts += [f"words of an offer: {_listed(offers)}"] if offers else []
    what = f"It leads the buyer away from Amazon: {'; '.join(parts)}"
    return Finding("no_diversion", "failed", what, "Leave out addresses, offers and advertising")


_NAMED = 20


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _plain(text: str) -> str:
    """Text without what cannot be seen; its case, lines and spaces stay."""
    composed = unicodedata.normalize("NFKC", text)
    return "".join(
        character
        for character in composed
        if unicodedata.category(character) not in ("Cf", "Cc") or character in "\n\t"
    )


def _folded(text: str) -> str:
    return " ".join(_plain(text).casefold().split())


def _is_in(said: str, wanted: str) -> bool:
    """Whether it is said, whatever its spaces: extraction loses some and adds others. Text that runs to the left comes
    in the order of the paper, so there its words are looked for one by one."""
    folded = _folded(wanted)
    if _words(folded).search(said):
        return True
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in folded):
        return all(word in said for word in folded.split())
    bare = folded.replace(" ", "")
    return len(bare) >= 6 and bare in said.replace(" ", "")


def _without(said: str, known: Iterable[str]) -> str:
    """What is said without the texts that are known, the longest first; what stood around them stays apart."""
    for folded in sorted(filter(None, map(_folded, known)), key=len, reverse=True):
        said = _words(folded).sub(" \n ", said)
    return said


def _words(folded: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(folded)}(?!\w)")


def _sku(sku: str) -> re.Pattern[str]:
    """The SKU byte for byte, but for the spaces in it, and not as a part of a longer one."""
    spaced = r"\s*".join(re.escape(part) for part in _plain(sku).split())
    return re.compile(rf"(?<![\w-]){spaced}(?![\w-])")
