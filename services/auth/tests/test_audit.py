"""The audit trail: who did what to which connection, channel or key, without secrets, and never changed."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

pytestmark = [pytest.mark.row("A6"), pytest.mark.row("A9")]

US = "ATVPDKIKX0DER"


async def test_every_act_of_a_person_is_on_record_with_its_actor_and_subject(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    path = f"/v1/connections/{connection['id']}"
    address = {"name": "Returns", "line_1": "1 Dock Road", "city": "Portland", "postal_code": "1", "country_code": "US"}
    body = {"name": "US shop", "connection_id": connection["id"], "marketplace_id": US, "seller_of_record": "Shop Ltd"}
    channel = (await desk.post(tenant, "/v1/channels", body)).json()
    channel_path = f"/v1/channels/{channel['id']}"
    await desk.http.patch(channel_path, json={"return_address": address}, headers=tenant.headers)
    for verb in ("pause", "pause", "unpause"):
        await desk.post(tenant, f"{channel_path}/{verb}")
    await desk.http.delete(channel_path, headers=tenant.headers)
    await desk.http.patch(path, json={"name": "Renamed"}, headers=tenant.headers)
    key = (await desk.post(tenant, "/v1/api-keys", {"name": "second", "scopes": ["orders:read"]})).json()
    await desk.http.delete(f"/v1/api-keys/{key['id']}", headers=tenant.headers)
    await desk.post(tenant, f"{path}/disable")
    await desk.http.delete(path, headers=tenant.headers)

    entries = await desk.audited(tenant)
    acts = [(entry["action"], entry["subject_id"]) for entry in entries]
    assert acts[1:] == [
        ("connection.created", connection["id"]),
        ("connection.authorized", connection["id"]),
        ("channel.created", channel["id"]),
        ("channel.changed", channel["id"]),
        ("channel.paused", channel["id"]),
        ("channel.unpaused", channel["id"]),
        ("channel.deleted", channel["id"]),
        ("connection.changed", connection["id"]),
        ("api_key.created", key["id"]),
        ("api_key.revoked", key["id"]),
        ("connection.disabled", connection["id"]),
        ("connection.deleted", connection["id"]),
    ]
    own = acts[0][1]
    assert acts[0][0] == "api_key.created"
    assert {entry["actor"] for entry in entries[1:]} == {f"key:{own}"}
    for secret in (tenant.key, key["key"], "Atz", "Dock Road", "Shop Ltd"):
        assert secret not in str(entries)


async def test_another_account_reads_its_own_trail_only(desk: Any) -> None:
    ours, theirs = await desk.tenant(), await desk.tenant("Other")
    await desk.create(ours)
    assert [entry["action"] for entry in await desk.audited(theirs)] == ["api_key.created"]
    assert await desk.notified(theirs) == []


async def test_the_trail_is_read_page_by_page_the_newest_first(desk: Any) -> None:
    tenant = await desk.tenant()
    made = [(await desk.create(tenant, f"A{number}SELLER"))["id"] for number in range(5)]
    seen: list[str] = []
    parameters: dict[str, Any] = {"limit": 2}
    while True:
        page = (await desk.http.get("/v1/audit-entries", params=parameters, headers=tenant.headers)).json()
        seen += [item["subject_id"] for item in page["items"] if item["action"] == "connection.created"]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert seen == made[::-1]


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_entry set actor = 'nobody'",
        "delete from audit_entry",
        "truncate audit_entry",
        "delete from audit_entry where false",
    ],
)
async def test_the_database_refuses_to_change_or_remove_an_entry(desk: Any, statement: str) -> None:
    tenant = await desk.tenant()
    with pytest.raises(DBAPIError, match="never changed or removed"):
        await desk.sql(statement)
    (entry,) = await desk.audited(tenant)
    assert UUID(entry["id"])
