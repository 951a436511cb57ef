"""Sync Orders: each shipment becomes a package at Amazon, and is confirmed only when Amazon shows it.

An order that Amazon does not answer for is put off, with its parcels, and stops no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.amazon.client import AmazonClient, Seller
from common.amazon.errors import AmazonError, AmazonNotFound, AmazonUnavailable, InvalidInput, OutcomeUnknown, Throttled
from common.amazon.order import OrderPackage
from common.amazon.orders import ConfirmShipmentOrderItem, PackageDetail, confirm_shipment, get_order
from common.amazon.run_outcomes import outcomes
from common.attempts import Patience
from common.contracts.orders import TrackingConfirmed
from common.db import Database
from common.item_by_item import alarm, is_the_items_fault, is_unanswered, reason_of
from common.jobs import Work
from common.outbox import publish
from common.telemetry import stack_of
from orders_service import carriers
from orders_service.asking import seller_now, seller_of, tell_paused
from orders_service.booking import units_of
from orders_service.fulfilling import reference_of
from orders_service.models import Channel, Connection, Order, Shipment
from orders_service.order_state import CANCELLED
from orders_service.shipping import (
    CONFIRMED,
    CONFLICT,
    QUEUED,
    SENDING,
    UNVERIFIED,
    WAITING,
    apply_waiting,
    own_methods,
    reject,
)

log = structlog.get_logger()

WAITS_AT_MOST = timedelta(minutes=15)
# A package that Amazon took and never showed is sent again, as the same package, so many times before people are asked.
MOST_SENDINGS = 3
# A confirmation whose outcome stays unknown and that Amazon then does not show is sent again: once at once, then later
# and later for a day. As long an order is waited for that Amazon does not answer for.
UNSENT = Patience.growing(timedelta(minutes=1), timedelta(hours=6), 11, at_once=True)
UNANSWERED = Patience.growing(timedelta(minutes=1), timedelta(hours=6), 12)
# So many orders in a row without an answer are no fault of theirs: Amazon is away.
AWAY_AFTER = 5


@dataclass(frozen=True, slots=True)
class _Due:
    order_id: UUID
    amazon_order_id: str
    marketplace_id: str


@dataclass(frozen=True, slots=True)
class _Parcel:
    shipment_id: UUID
    seller: Seller
    package: PackageDetail


class SyncOrders:
    """The runner of `sync_orders`. Every step is committed before Amazon is called and after it answered."""

    def __init__(self, db: Database, amazon: AmazonClient, read_back_delays: Sequence[float]) -> None:
        self._db = db
        self._amazon = amazon
        self._delays = [timedelta(seconds=seconds) for seconds in read_back_delays]

    async def __call__(self, work: Work) -> None:
        async with self._db.transaction() as session:
            await work.hold(session)
            seller = await seller_of(session, work)
            tell_paused(work, await _paused_channels(session, work))
            applied = await apply_waiting(session, seller.account_id, seller.selling_partner_id)
            await _alarm_waiting(session, work, seller)
        if applied:
            work.count("applied", applied)
        begun = clock.now()
        in_a_row = 0
        with outcomes():
            while due := await self._next(work, begun):
                try:
                    silence = await self._settle(work, due, begun)
                except Exception as error:
                    if not is_the_items_fault(error):
                        raise
                    await self._put_off(work, due, error)
                    silence = error if is_unanswered(error) else None
                in_a_row = in_a_row + 1 if silence else 0
                if silence and in_a_row == AWAY_AFTER:
                    raise silence

    async def _put_off(self, work: Work, due: _Due, error: Exception) -> None:
        """All of the order that was due waits for its own next attempt; after the last one it is parked."""
        code, detail = reason_of(error)
        if not isinstance(error, AmazonError):
            log.error("order_not_confirmed", order_id=str(due.order_id), error_code=code, stack=stack_of(error))
        async with self._db.transaction() as session:
            await work.hold(session)
            order, shipments = await _lock(session, due.order_id, (QUEUED, SENDING, UNVERIFIED))
            now = clock.now()
            for shipment in shipments:
                if shipment.next_attempt_at is None or shipment.next_attempt_at > now:
                    continue
                shipment.failures += 1
                shipment.next_attempt_at = UNANSWERED.next_attempt(shipment.failures, now)
                session.add(shipment)
                if shipment.next_attempt_at is None:
                    _park(work, shipment, order, code, f"{detail}; edit the shipment to try again")
        work.error(code, detail, amazon_order_id=due.amazon_order_id)

    async def _next(self, work: Work, begun: datetime) -> _Due | None:
        """The order with a shipment to send or to look for; the earliest to ship comes first."""
        # An order is its seller's: one that an earlier connection imported is confirmed by this one.
        seller = aliased(Connection)
        query = (
            select(Order.id, Order.amazon_order_id, Order.marketplace_id)
            .join(Shipment, col(Shipment.order_id) == col(Order.id))
            .join(Connection, col(Connection.id) == col(Order.connection_id))
            .join(
                seller,
                (col(seller.account_id) == col(Order.account_id))
                & (col(seller.selling_partner_id) == col(Order.selling_partner_id))
                & (col(seller.region) == col(Connection.region)),
            )
            .outerjoin(
                Channel, (col(Channel.id) == col(Order.channel_id)) & col(Channel.paused) & ~col(Channel.deleted)
            )
            .where(
                seller.id == work.connection_id,
                col(Channel.id).is_(None),
                col(Shipment.status).in_((QUEUED, SENDING, UNVERIFIED)),
                col(Shipment.next_attempt_at) <= begun,
            )
            .order_by(col(Order.ship_by).nulls_last(), col(Shipment.created_at))
            .limit(1)
        )
        async with self._db.transaction() as session:
            row = (await session.exec(query)).first()
        return _Due(*row) if row else None

    async def _settle(self, work: Work, due: _Due, begun: datetime) -> Exception | None:
        """Looks for what was sent, then sends what is queued; each package is one call.

        Answers the last error when Amazon gave no answer to any of them.
        """
        answered = await self._has_sent(due, begun)
        if answered:
            await self._look(work, due)
        silence = None
        while parcel := await self._prepare(work, due):
            silence = await self._send(work, due, parcel)
            answered = answered or silence is None
        return None if answered else silence

    async def _has_sent(self, due: _Due, begun: datetime) -> bool:
        query = select(Shipment.id).where(
            Shipment.order_id == due.order_id,
            col(Shipment.status).in_((SENDING, UNVERIFIED)),
            col(Shipment.next_attempt_at) <= begun,
        )
        async with self._db.transaction() as session:
            return (await session.exec(query.limit(1))).first() is not None

    async def _look(self, work: Work, due: _Due) -> None:
        """One getOrder answers for all packages of the order."""
        packages = await self._packages(work, due)
        async with self._db.transaction() as session:
            await work.hold(session)
            stored, shipments = await _lock(session, due.order_id, (SENDING, UNVERIFIED))
            methods = await own_methods(session, stored.account_id)
            for shipment in shipments:
                shipment.failures = 0
                if package := _shown(shipment, carriers.check(shipment.carrier, shipment.method, methods), packages):
                    await _confirm(session, stored, shipment, package)
                    work.count("confirmed")
                    work.moved = True
                else:
                    self._not_shown(work, stored, shipment)
                session.add(shipment)

    async def _packages(self, work: Work, due: _Due) -> tuple[OrderPackage, ...]:
        seller = await seller_now(self._db, work)
        try:
            answer = await get_order(self._amazon, seller, due.amazon_order_id, included_data=("PACKAGES",))
        except (AmazonNotFound, InvalidInput):
            # One order that Amazon will not show must not keep the others from being confirmed.
            return ()
        return answer.packages

    def _not_shown(self, work: Work, order: Order, shipment: Shipment) -> None:
        """What never arrived is sent again, an accepted package after it was given time; in the end it is parked."""
        if shipment.next_attempt_at is None or shipment.next_attempt_at > clock.now():
            return
        if shipment.status == SENDING:
            shipment.next_attempt_at = UNSENT.next_attempt(shipment.attempts, clock.now())
            if shipment.next_attempt_at is None:
                detail = "Amazon's answer stays lost and the package is not shown; edit the shipment to try again"
                _park(work, shipment, order, "outcome_unknown", detail)
            else:
                shipment.status = QUEUED
            return
        shipment.looks += 1
        if shipment.looks < len(self._delays):
            shipment.next_attempt_at = clock.now() + self._delays[shipment.looks]
        elif shipment.attempts < MOST_SENDINGS:
            shipment.status, shipment.looks, shipment.next_attempt_at = QUEUED, 0, clock.now()
        else:
            detail = "Amazon accepted the package and does not show it; edit the shipment to try again"
            _park(work, shipment, order, "not_visible", detail)

    async def _prepare(self, work: Work, due: _Due) -> _Parcel | None:
        """Claims the next queued shipment: its package reference is committed before the first call."""
        async with self._db.transaction() as session:
            await work.hold(session)
            seller = await seller_of(session, work)
            order, shipments = await _lock(session, due.order_id, (QUEUED,))
            now = clock.now()
            for shipment in shipments:
                if shipment.next_attempt_at is None or shipment.next_attempt_at > now:
                    continue
                if order.status == CANCELLED:
                    await reject(session, order, shipment, "order_cancelled", "the order is cancelled")
                    continue
                methods = await own_methods(session, order.account_id)
                checked = carriers.check(shipment.carrier, shipment.method, methods)
                if isinstance(checked, carriers.Invalid):
                    await reject(session, order, shipment, checked.code, checked.detail, checked.suggestion)
                    continue
                if shipment.package_reference_id is None:
                    shipment.package_reference_id = order.next_package_reference
                    order.next_package_reference += 1
                shipment.status = SENDING
                shipment.attempts += 1
                shipment.next_attempt_at = clock.now() + self._delays[0]
                session.add_all([order, shipment])
                return _Parcel(shipment.id, seller, _package(order, shipment, checked))
        return None

    async def _send(self, work: Work, due: _Due, parcel: _Parcel) -> Exception | None:
        try:
            await confirm_shipment(
                self._amazon,
                parcel.seller,
                due.amazon_order_id,
                parcel.package,
                marketplace_id=due.marketplace_id,
                fence=work.still_holds,
            )
        except (OutcomeUnknown, AmazonUnavailable) as error:
            # It may have been carried out: the shipment stays `sending`, and is looked for before it is sent again.
            work.count("outcome_unknown")
            return error
        except Throttled:
            await self._unsend(work, due, parcel)
            raise
        except (InvalidInput, AmazonNotFound) as refused:
            await self._refused(work, due, parcel, refused)
        else:
            work.count("sent")
            work.moved = True
            await self._accepted(work, due, parcel)
        return None

    async def _accepted(self, work: Work, due: _Due, parcel: _Parcel) -> None:
        async with self._db.transaction() as session:
            await work.hold(session)
            _, (shipment,) = await _lock(session, due.order_id, (SENDING,), parcel.shipment_id)
            shipment.status = UNVERIFIED
            shipment.next_attempt_at = clock.now() + self._delays[0]
            session.add(shipment)

    async def _unsend(self, work: Work, due: _Due, parcel: _Parcel) -> None:
        """The call was not made: nothing needs to be looked for."""
        async with self._db.transaction() as session:
            await work.hold(session)
            _, (shipment,) = await _lock(session, due.order_id, (SENDING,), parcel.shipment_id)
            shipment.status, shipment.attempts = QUEUED, shipment.attempts - 1
            shipment.next_attempt_at = clock.now()
            session.add(shipment)

    async def _refused(self, work: Work, due: _Due, parcel: _Parcel, refused: InvalidInput | AmazonNotFound) -> None:
        """Amazon's refusal lands on the shipment, in Amazon's words, unless it says what is already true (edge 14)."""
        packages = await self._packages(work, due)
        async with self._db.transaction() as session:
            await work.hold(session)
            order, (shipment,) = await _lock(session, due.order_id, (SENDING,), parcel.shipment_id)
            package = _shown_elsewhere(shipment, packages) if _is_already_fulfilled(refused) else None
            if package:
                await _confirm(session, order, shipment, package)
                work.count("confirmed")
            elif _is_already_fulfilled(refused):
                detail = f"Amazon shows the order as shipped with other tracking: {_words(refused)}"
                await reject(session, order, shipment, "already_fulfilled", detail, status=CONFLICT)
                work.error("already_fulfilled", detail, amazon_order_id=due.amazon_order_id)
            else:
                code = refused.code or "refused"
                await reject(session, order, shipment, code, _words(refused))
                work.error(code, _words(refused), amazon_order_id=due.amazon_order_id)


async def _paused_channels(session: AsyncSession, work: Work) -> Sequence[Channel]:
    query = select(Channel).where(
        Channel.connection_id == work.connection_id, col(Channel.paused), ~col(Channel.deleted)
    )
    return (await session.exec(query.order_by(col(Channel.id)))).all()


async def _lock(
    session: AsyncSession, order_id: UUID, statuses: tuple[str, ...], shipment_id: UUID | None = None
) -> tuple[Order, Sequence[Shipment]]:
    """The order, then its shipments in these statuses (or only the one named), all locked."""
    order = (await session.exec(select(Order).where(Order.id == order_id).with_for_update())).one()
    query = select(Shipment).where(Shipment.order_id == order_id, col(Shipment.status).in_(statuses))
    if shipment_id is not None:
        query = query.where(Shipment.id == shipment_id)
    query = query.order_by(col(Shipment.created_at), col(Shipment.id)).with_for_update()
    return order, (await session.exec(query)).all()


def _package(order: Order, shipment: Shipment, checked: carriers.Sendable) -> PackageDetail:
    return PackageDetail(
        package_reference_id=str(shipment.package_reference_id),
        carrier_code=checked.carrier_code,
        carrier_name=checked.carrier_name,
        shipping_method=checked.shipping_method,
        tracking_number=shipment.tracking_number,
        # Not in the future and not before the order (FACTS 8.4.5), whatever the source's clock says.
        ship_date=max(order.purchased_at + timedelta(seconds=1), min(shipment.shipped_at, clock.now())),
        order_items=tuple(
            ConfirmShipmentOrderItem(order_item_id=line["order_item_id"], quantity=line["quantity"])
            for line in shipment.lines
        ),
    )


def _shown(
    shipment: Shipment, sent: carriers.Sendable | carriers.Invalid, packages: Sequence[OrderPackage]
) -> OrderPackage | None:
    """The shipment's own package when Amazon shows it as it was sent: what was corrected meanwhile is not there yet."""
    for package in packages:
        if package.package_reference_id == str(shipment.package_reference_id):
            return package if _holds(package, shipment) and carriers.is_shown_as(sent, package) else None
    return None


def _shown_elsewhere(shipment: Shipment, packages: Sequence[OrderPackage]) -> OrderPackage | None:
    """A package that somebody else confirmed, under a reference of theirs, with this tracking and these items."""
    own = str(shipment.package_reference_id)
    return next((one for one in packages if one.package_reference_id != own and _holds(one, shipment)), None)


def _holds(package: OrderPackage, shipment: Shipment) -> bool:
    held = {item.order_item_id: item.quantity for item in package.package_items}
    return package.tracking_number == shipment.tracking_number and held in (dict(units_of(shipment.lines)), {})


def _is_already_fulfilled(refused: InvalidInput | AmazonNotFound) -> bool:
    if not isinstance(refused, InvalidInput):
        return False
    told = f"{refused.code} {refused.message}".casefold()
    return "packagetoupdatenotfound" in told or "package to update" in told or "already" in told


def _words(refused: InvalidInput | AmazonNotFound) -> str:
    if isinstance(refused, AmazonNotFound):
        return "Amazon does not know the order"
    return " ".join(part for part in (refused.message, refused.details) if part) or "Amazon gives no reason"


async def _confirm(session: AsyncSession, order: Order, shipment: Shipment, package: OrderPackage) -> None:
    shipment.status, shipment.confirmed_at, shipment.next_attempt_at = CONFIRMED, clock.now(), None
    shipment.error_code, shipment.error_detail, shipment.suggestion = None, None, None
    session.add(shipment)
    confirmed = TrackingConfirmed(
        **reference_of(order),
        shipment_id=shipment.id,
        package_reference_id=package.package_reference_id,
        carrier=package.carrier or shipment.carrier,
    )
    await publish(session, confirmed)


async def _alarm_waiting(session: AsyncSession, work: Work, seller: Seller) -> None:
    """A shipment whose order does not come is never dropped, but somebody should know (F8)."""
    query = select(Shipment).where(
        Shipment.account_id == seller.account_id,
        Shipment.selling_partner_id == seller.selling_partner_id,
        Shipment.status == WAITING,
        col(Shipment.created_at) < clock.now() - WAITS_AT_MOST,
        col(Shipment.alarmed_at).is_(None),
    )
    for shipment in (await session.exec(query)).all():
        shipment.error_code = "order_unknown"
        shipment.error_detail = "the order has not been imported; ask why at .../orders/{amazon_order_id}/explanation"
        _alarm(work, shipment, shipment.amazon_order_id)
        session.add(shipment)


def _park(work: Work, shipment: Shipment, order: Order, code: str, detail: str) -> None:
    shipment.next_attempt_at, shipment.error_code, shipment.error_detail = None, code, detail
    _alarm(work, shipment, order.amazon_order_id)


def _alarm(work: Work, shipment: Shipment, amazon_order_id: str) -> None:
    shipment.alarmed_at = clock.now()
    code = shipment.error_code or "unknown"
    alarm("shipment", code, shipment_id=shipment.id)
    work.error(code, shipment.error_detail or "", amazon_order_id=amazon_order_id, shipment_id=str(shipment.id))
