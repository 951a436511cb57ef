"""Sends one listing's changed parts to Amazon by patch, and says what became of each part. Holds no transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from common.amazon.client import AmazonClient, Fence, Seller
from common.amazon.errors import (
    AccessDenied,
    AccessTokenUnavailable,
    AmazonError,
    AmazonNotFound,
    ConnectionNotActive,
    ConnectionRevoked,
    InvalidInput,
    MalformedAnswer,
    Throttled,
)
from common.amazon.listing import Submission
from common.amazon.listings import Patch, patch_listings_item, price_patch, quantity_patch
from listings_service import seen

Part = Literal["quantity", "price"]

_DEFAULT_PRODUCT_TYPE = "PRODUCT"  # what offers of unknown type are patched as (FACTS 5.2)


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be sent of one listing; written down before the call. A part that is None is not sent."""

    variant_id: UUID
    sku: str
    marketplace_id: str
    product_type: str | None
    sent_at: datetime
    quantity: int | None
    price: Decimal | None
    currency: str | None

    @property
    def parts(self) -> tuple[Part, ...]:
        quantity: tuple[Part, ...] = ("quantity",) if self.quantity is not None else ()
        return (*quantity, "price") if self.price is not None else quantity


@dataclass(frozen=True, slots=True)
class Refusal:
    """Amazon's own code and words."""

    code: str
    detail: str


# accepted: taken, not yet shown. unknown: it may have been taken. not_sent: it surely was not.
Answer = Literal["accepted", "unknown", "not_sent"] | Refusal


@dataclass(slots=True)
class Outcome:
    """The answer for each part; `gone` when Amazon has no such listing; `stop` is what keeps the run from going on."""

    answers: dict[Part, Answer] = field(default_factory=dict)
    gone: bool = False
    stop: AmazonError | None = None


async def send(
    amazon: AmazonClient, seller: Seller, intent: Intent, offer: dict[str, Any] | None, fence: Fence
) -> Outcome:
    """Sends the parts in one patch. `offer` is what Amazon shows now: a price keeps its siblings (edge 19).

    When Amazon minds a patch of both parts, each goes alone, so that a refused price never holds back a quantity.
    """
    outcome = await _attempt(amazon, seller, intent, intent.parts, offer, fence)
    if len(intent.parts) > 1 and any(isinstance(answer, Refusal) for answer in outcome.answers.values()):
        for part in intent.parts:
            alone = await _attempt(amazon, seller, intent, (part,), offer, fence)
            outcome.answers |= alone.answers
            outcome.stop = outcome.stop or alone.stop
    if any(isinstance(answer, Refusal) for answer in outcome.answers.values()):
        outcome.gone = await _is_gone(amazon, seller, intent)
    return outcome


async def _attempt(
    amazon: AmazonClient,
    seller: Seller,
    intent: Intent,
    parts: tuple[Part, ...],
    offer: dict[str, Any] | None,
    fence: Fence,
) -> Outcome:
    try:
        submission = await patch_listings_item(
            amazon,
            seller,
            intent.sku,
            marketplace_id=intent.marketplace_id,
            product_type=intent.product_type or _DEFAULT_PRODUCT_TYPE,
            patches=[_patch(part, intent, offer) for part in parts],
            fence=fence,
        )
    except AmazonNotFound:
        return Outcome(gone=True)
    except InvalidInput as refused:
        refusal = Refusal(refused.code or str(refused.status), refused.message or "Amazon refused the request")
        return _all(parts, refusal)
    except (Throttled, ConnectionRevoked, ConnectionNotActive, AccessTokenUnavailable, AccessDenied) as stop:
        return _all(parts, "not_sent", stop)
    except MalformedAnswer:
        return _all(parts, "unknown")
    except AmazonError as unknown:
        # A 5xx or a lost answer: it may have been carried out. Read before writing again, and give Amazon a pause.
        return _all(parts, "unknown", unknown)
    return _all(parts, _judge(submission))


def _all(parts: tuple[Part, ...], answer: Answer, stop: AmazonError | None = None) -> Outcome:
    return Outcome(dict.fromkeys(parts, answer), stop=stop)


def _patch(part: Part, intent: Intent, offer: dict[str, Any] | None) -> Patch:
    if part == "quantity":
        assert intent.quantity is not None
        return quantity_patch(intent.quantity)
    assert intent.price is not None
    first = {"marketplace_id": intent.marketplace_id, "currency": intent.currency, "audience": "ALL"}
    return price_patch(offer or first, intent.price)


def _judge(submission: Submission) -> Answer:
    """A 200 may be a refusal, ACCEPTED promises nothing (FACTS 5.2, 5.6.1), and a status we do not know (edge 28) is
    for the look to decide."""
    if submission.status == "ACCEPTED":
        return "accepted"
    if submission.status != "INVALID":
        return "unknown"
    worst = next((issue for issue in submission.issues if issue.severity == "ERROR"), None)
    if worst is None:
        return Refusal("INVALID", "Amazon refused the change without saying why")
    return Refusal(worst.code, worst.message)


async def _is_gone(amazon: AmazonClient, seller: Seller, intent: Intent) -> bool:
    """Whether the refusal only says that there is no such listing any more (edge 20)."""
    try:
        await seen.get(amazon, seller, intent.marketplace_id, intent.sku)
    except AmazonNotFound:
        return True
    except AmazonError:
        return False
    return False
