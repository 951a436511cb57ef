"""What a service refuses of an account's own events is read at its API, with the reason and what to do."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.app import Service
from common.bulk import run
from common.contracts import inventory, shipments
from common.testing.amazon import Amazon
from common.testing.events import record
from common.testing.identity import Issuer
from common.testing.plugin import RunService
from compliance_service.app import SERVICE as COMPLIANCE
from listings_service.app import SERVICE as LISTINGS
from orders_service.app import SERVICE as ORDERS


def told(event_type: str, account_id: UUID | None, event_id: str, **data: Any) -> bytes:
    """A foreign system's event, most of whose fields are missing."""
    account = {"account_id": str(account_id)} if account_id else {}
    return json.dumps(
        {"specversion": "1.0", "id": event_id, "source": "/erp", "type": event_type, "data": account | data}
    ).encode()


@pytest.mark.row("E3")
@pytest.mark.edge(22)
@pytest.mark.fault("F9")
@pytest.mark.parametrize(
    ("service", "topic", "event_type"),
    [
        (LISTINGS, inventory.TOPIC, "InventoryChanged"),
        (COMPLIANCE, inventory.TOPIC, "SourceInventoryChanged"),
        (ORDERS, shipments.TOPIC, "ShipmentCreated"),
    ],
    ids=["listings", "compliance", "orders"],
)
async def test_an_account_reads_what_was_refused_of_its_own_events_and_of_nobody_elses(
    run_service: RunService, amazon: Amazon, issuer: Issuer, service: Service[Any], topic: str, event_type: str
) -> None:
    running = await run_service(service, amazon=amazon)
    consumer = running.runtime.consumer()
    assert consumer is not None
    mine, other = uuid4(), uuid4()
    messages = [
        told(event_type, mine, "first"),
        told(event_type, other, "not mine"),
        b"rubbish",
        told(event_type, None, "nobody's"),
        told(event_type, mine, "second", sku=7),
        told("SomethingNew", mine, "of a newer writer"),
    ]
    await consumer.process([record(message, topic=topic, key=None) for message in messages])

    async def page(account_id: UUID, **query: Any) -> Any:
        headers = issuer.headers(account_id, "operations:read")
        answer = await running.http.get("/v1/refused-events", headers=headers, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    first = await page(mine, limit=1)
    second = await page(mine, limit=1, cursor=first["next_cursor"])
    found = [*first["items"], *second["items"]]
    assert [(one["event_id"], one["event_type"], one["state"]) for one in found] == [
        ("second", event_type, "refused"),
        ("first", event_type, "refused"),
    ]
    assert second["next_cursor"] is None
    assert all("Field required" in one["reason"] and "again under a new id" in one["fix"] for one in found)
    assert [one["event_id"] for one in (await page(other))["items"]] == ["not mine"]
    without = await running.http.get("/v1/refused-events", headers=issuer.headers(mine, "orders:read"))
    assert without.status_code == 403


async def test_an_event_that_waits_says_when_it_has_its_next_turn(
    run_service: RunService, amazon: Amazon, issuer: Issuer
) -> None:
    running = await run_service(LISTINGS, amazon=amazon)
    consumer, mine = running.runtime.consumer(), uuid4()
    assert consumer is not None
    change = {"channel_id": str(uuid4()), "sku": "A", "quantity": 1, "as_of": "2026-11-23T00:00:00Z"}
    async with running.runtime.db.transaction() as session:
        await run(session, "alter table inventory_rejection add constraint broken check (false) not valid")
    message = told("InventoryChanged", mine, "1", **change)
    await consumer.process([record(message, topic=inventory.TOPIC, key=None)])
    assert await consumer.replay() == 0
    headers = issuer.headers(mine, "operations:read")
    (waits,) = (await running.http.get("/v1/refused-events", headers=headers)).json()["items"]
    assert (waits["state"], waits["reason"], waits["attempts"]) == ("waits", "IntegrityError", 1)
    assert waits["next_attempt_at"] > waits["received_at"]
    async with running.runtime.db.transaction() as session:
        await run(session, "alter table inventory_rejection drop constraint broken")
    assert await consumer.replay() == 1
    assert (await running.http.get("/v1/refused-events", headers=headers)).json()["items"] == []
