"""A merchant for tests: one account of a running compliance service, reached through its own doors only."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from common.contracts.compliance import OrderHeld, OrderRouted
from common.contracts.connections import Address, Channel, ConnectionChanged
from common.contracts.event import Event, Money
from common.contracts.orders import (
    FulfillmentLine,
    FulfillmentRefused,
    FulfillmentShipped,
    FulfillmentWithdrawn,
    OrderCancelled,
    OrderChanged,
    OrderEvent,
    OrderImported,
    OrderLine,
)
from common.http import Response
from common.testing.events import deliver, published
from common.testing.identity import Issuer
from common.testing.plugin import Running

SCOPES = ("sources:read", "sources:write", "channels:read", "channels:write", "orders:read")
BOUGHT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SELLER = "A1SELLER"
RETURN_ADDRESS = Address(
    name="Seller Inc.", line_1="1 Warehouse Road", city="Springfield", postal_code="62701", country_code="US"
)


class Merchant:
    """One account: its HTTP calls, the events that reach the service for it, and what was announced of it."""

    def __init__(self, running: Running, issuer: Issuer) -> None:
        self.running = running
        self.account_id = uuid4()
        self.headers = issuer.headers(self.account_id, *SCOPES)
        consumer = running.runtime.consumer()
        assert consumer is not None
        self.consumer = consumer

    async def call(self, method: str, path: str, *, expect: int | None = None, **options: Any) -> Any:
        """The answer's JSON; `expect` names the status when it is not a success."""
        headers = self.headers | options.pop("headers", {})
        answer = await self.running.http.request(method, path, headers=headers, **options)
        if expect is None:
            assert answer.is_success, f"{answer.status_code} {answer.text}"
        else:
            assert answer.status_code == expect, f"{answer.status_code} {answer.text}"
        return answer.json()

    async def fetch(self, path: str) -> Response:
        """The answer as it is, for what is not JSON."""
        answer = await self.running.http.get(path, headers=self.headers)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer

    async def source(
        self,
        name: str,
        stock: Mapping[str, int] | None = None,
        *,
        attested: bool = True,
        cost: str | None = None,
        **fields: Any,
    ) -> UUID:
        """A source with stock, attested unless told otherwise."""
        made = await self.call("POST", "/v1/sources", json={"name": name, "kind": "supplier"} | fields)
        source_id = UUID(made["id"])
        if stock:
            await self.restock(source_id, stock, cost=cost)
        if attested:
            await self.attest(source_id)
        return source_id

    async def restock(
        self, source_id: UUID, stock: Mapping[str, int], *, cost: str | None = None, as_of: datetime | None = None
    ) -> Any:
        extra: dict[str, Any] = {"cost": {"amount": cost, "currency": "USD"}} if cost else {}
        if as_of:
            extra["as_of"] = as_of.isoformat()
        rows = [{"sku": sku, "quantity": quantity} | extra for sku, quantity in stock.items()]
        return await self.call("PUT", f"/v1/sources/{source_id}/inventory", json={"rows": rows})

    async def attest(self, source_id: UUID, **fields: Any) -> Any:
        body = {"agreement_version": "2026-01", "attested_by": "Head of compliance"} | fields
        return await self.call("PUT", f"/v1/sources/{source_id}/attestation", json=body)

    async def withdraw_attestation(self, source_id: UUID) -> Any:
        body = {"withdrawn_by": "Head of compliance"}
        return await self.call("POST", f"/v1/sources/{source_id}/attestation/withdraw", json=body)

    async def available(self, source_id: UUID) -> dict[str, int]:
        page = await self.call("GET", f"/v1/sources/{source_id}/inventory")
        return {item["sku"]: item["available"] for item in page["items"]}

    async def deliver(self, *events: Event) -> None:
        """Brings events to the service in one batch."""
        await deliver(self.consumer, *events)

    async def run_jobs(self) -> int:
        return await self.running.runtime.worker().run_due()

    async def announced(self) -> Sequence[Event]:
        """What was announced of this account, oldest first."""
        return [e for e in await published(self.running.runtime.db) if e.account_id == self.account_id]

    async def decisions(self, order_id: str | None = None) -> list[OrderRouted | OrderHeld]:
        """The announced decisions (of one order, when named), oldest first."""
        return [
            event
            for event in await self.announced()
            if isinstance(event, OrderRouted | OrderHeld) and order_id in (None, event.amazon_order_id)
        ]

    def order(
        self,
        order_id: str,
        lines: Mapping[str, int],
        *,
        event: type[OrderEvent] = OrderImported,
        version: int = 1,
        fulfilled: int = 0,
        **fields: Any,
    ) -> OrderEvent:
        """An order event; item ids are `<order id>-<position>`. Of each line so many units are `fulfilled`."""
        facts: dict[str, Any] = {
            "account_id": self.account_id,
            "selling_partner_id": SELLER,
            "amazon_order_id": order_id,
            "channel_id": None,
            "marketplace_id": "ATVPDKIKX0DER",
            "status": "UNSHIPPED",
            "fulfilled_by": "MERCHANT",
            "purchased_at": BOUGHT,
            "ship_by": BOUGHT + timedelta(days=2),
            "lines": tuple(
                OrderLine(
                    order_item_id=f"{order_id}-{position}",
                    sku=sku,
                    quantity=quantity,
                    unit_price=Money(amount=Decimal("9.99"), currency="USD"),
                    quantity_fulfilled=fulfilled,
                )
                for position, (sku, quantity) in enumerate(lines.items())
            ),
            "shipping_policy": "Standard",
            "version": version,
        }
        return event(**(facts | fields))

    def changed(self, order_id: str, lines: Mapping[str, int], version: int, **fields: Any) -> OrderEvent:
        return self.order(order_id, lines, event=OrderChanged, version=version, **fields)

    def cancelled(self, order_id: str, lines: Mapping[str, int], version: int) -> OrderEvent:
        return self.order(order_id, lines, event=OrderCancelled, version=version, status="CANCELLED")

    def _reference(self, order_id: str) -> dict[str, Any]:
        return {"account_id": self.account_id, "selling_partner_id": SELLER, "amazon_order_id": order_id}

    def withdrawn(self, order_id: str, decision_version: int, reason: str = "not_compliant") -> FulfillmentWithdrawn:
        return FulfillmentWithdrawn(**self._reference(order_id), decision_version=decision_version, reason=reason)

    def refused(self, order_id: str, source_id: UUID, decision_version: int, resolution: str) -> FulfillmentRefused:
        return FulfillmentRefused.model_validate(
            self._reference(order_id)
            | {
                "fulfillment_request_id": uuid4(),
                "source_id": source_id,
                "decision_version": decision_version,
                "resolution": resolution,
            }
        )

    def shipped(
        self,
        order_id: str,
        lines: Sequence[tuple[str, str, int]],
        *,
        source_id: UUID | None,
        decision_version: int | None,
        shipment_id: UUID | None = None,
        shipped_at: datetime | None = None,
    ) -> FulfillmentShipped:
        """`lines` are (order item id, SKU, quantity)."""
        return FulfillmentShipped(
            **self._reference(order_id),
            fulfillment_request_id=None,
            shipment_id=shipment_id or uuid4(),
            source_id=source_id,
            decision_version=decision_version,
            lines=tuple(FulfillmentLine(order_item_id=item, sku=sku, quantity=units) for item, sku, units in lines),
            shipped_at=shipped_at,
        )

    def connection(
        self,
        *channel_ids: UUID,
        version: int = 1,
        connection_id: UUID | None = None,
        return_address: Address | None = RETURN_ADDRESS,
    ) -> ConnectionChanged:
        """A connection with these channels, in that version."""
        return ConnectionChanged(
            account_id=self.account_id,
            connection_id=connection_id or uuid4(),
            version=version,
            name="North America",
            status="active",
            selling_partner_id=SELLER,
            region="NA",
            home_marketplace_id="ATVPDKIKX0DER",
            channels=tuple(
                Channel(
                    channel_id=channel_id,
                    name=f"Channel {position}",
                    marketplace_id="ATVPDKIKX0DER",
                    paused=False,
                    seller_of_record="Seller Inc.",
                    return_address=return_address,
                )
                for position, channel_id in enumerate(channel_ids)
            ),
        )
