"""Rotating the key ring (MISSION A10) and the app's client secret (A7): online, and nothing fails meanwhile."""

import asyncio
import base64
import json
import os
import sys
from asyncio.subprocess import PIPE
from typing import Any
from uuid import UUID

import pytest

from auth_service.app import SERVICE
from auth_service.vault import SEALED
from common.crypto import KeyLost, KeyRing
from common.rewrapping import keys_in_use, left, rewrap
from common.testing.plugin import KEY_RING

NEW_RING = "new:" + base64.b64encode(b"n" * 32).decode()
BOTH = f"{NEW_RING},{KEY_RING}"


async def _connected(desk: Any, sellers: int) -> tuple[Any, list[UUID]]:
    tenant, made = await desk.tenant(), []
    for number in range(sellers):
        await desk.seller(f"A{number}SELLER")
        made.append(UUID((await desk.connect(tenant, f"A{number}SELLER"))["id"]))
        await desk.broker.hand_out(tenant.account_id, made[-1])
    return tenant, made


async def _command(desk: Any, key_ring: str) -> tuple[int, str]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": desk.runtime.db.url,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "AUTH_URL": "http://127.0.0.1:1",
        "SERVICE_KEY": "none",
        "KEY_RING": key_ring,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "auth_service", "rewrap"), env=environment, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, (out + err).decode()


@pytest.mark.row("A10")
async def test_every_sealed_column_is_listed(desk: Any) -> None:
    found = await desk.sql(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'public' and data_type = 'bytea'"
    )
    hashes_and_public = {
        ("api_key", "key_hash"),
        ("consent", "state_hash"),
        ("consent", "browser_hash"),
        ("authorization", "browser_hash"),
        ("signing_key", "public_key"),
        ("outbox", "message"),
        ("dead_letter", "message"),
        ("idempotency_key", "request_hash"),
        ("idempotency_key", "answer"),
    }
    assert {tuple(row) for row in found} - hashes_and_public == {(one.table, one.column) for one in SEALED}
    assert SERVICE.sealed == SEALED


@pytest.mark.row("A10")
async def test_the_command_wraps_everything_anew_and_proves_that_the_old_key_may_go(open_desk: Any) -> None:
    desk = await open_desk(key_ring=BOTH.split(",")[1] + "," + NEW_RING)
    tenant, made = await _connected(desk, 3)
    await desk.http.get(
        "/v1/oauth/login",
        params={
            "amazon_callback_uri": "https://amazon.com/apps/authorize/confirm/amzn1.sellerapps.app.entrepot-dev-na",
            "amazon_state": "amazons-state",
            "selling_partner_id": "A1SELLER",
        },
    )
    status, said = await _command(desk, BOTH)
    assert status == 0, said
    assert "8 wrapped anew" in said
    assert "no row is left on another key than new" in said
    assert {key_id for _, _, key_id in await keys_in_use(desk.runtime.db, SEALED)} == {"new"}
    assert "0 wrapped anew" in (await _command(desk, BOTH))[1]

    # A process that has never had the old key reads everything.
    alone = await open_desk(key_ring=NEW_RING, database_url=desk.runtime.db.url)
    for connection_id in made:
        assert (await alone.broker.hand_out(tenant.account_id, connection_id)).access_token.startswith("Atza|")
    await alone.login(tenant.key)


@pytest.mark.row("A10")
async def test_a_key_that_is_lost_stops_the_command_and_is_named(desk: Any) -> None:
    await _connected(desk, 1)
    before = await desk.sql("select refresh_token from connection")
    status, said = await _command(desk, NEW_RING)
    assert status == 1
    assert "'test'" in said
    assert "KEY_RING" in said
    assert await desk.sql("select refresh_token from connection") == before
    with pytest.raises(KeyLost):
        await rewrap(desk.runtime.db, SEALED, KeyRing.parse(NEW_RING), lambda _: None)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.row("A10")
async def test_a_rotation_that_was_ended_in_the_middle_goes_on_where_rows_are_left(open_desk: Any) -> None:
    desk = await open_desk(key_ring=f"{KEY_RING},{NEW_RING}")
    await _connected(desk, 5)
    ring, database = KeyRing.parse(BOTH), desk.runtime.db

    def dies(_: int) -> None:
        raise Killed

    total = await left(database, SEALED, ring)
    assert total == 11
    with pytest.raises(Killed):
        await rewrap(database, SEALED, ring, dies, page_size=2)
    assert await left(database, SEALED, ring) == total - 2
    assert await rewrap(database, SEALED, ring, lambda _: None) == total - 2
    assert await left(database, SEALED, ring) == 0


@pytest.mark.row("A10")
async def test_no_call_fails_and_no_new_consent_is_lost_while_keys_rotate(open_desk: Any) -> None:
    desk = await open_desk(key_ring=f"{KEY_RING},{NEW_RING}")
    tenant, made = await _connected(desk, 4)
    ring, rotating = KeyRing.parse(BOTH), True
    handed = 0

    async def calls() -> None:
        nonlocal handed
        while rotating:
            for connection_id in made:
                await desk.sql("update access_token set renew_at = now() where connection_id = $1", connection_id)
                answer = await desk.broker.hand_out(tenant.account_id, connection_id)
                assert answer.access_token.startswith("Atza|")
                handed += 1

    calling = asyncio.create_task(calls())
    for _ in range(3):  # this replica still writes with the old key: every pass has something to do
        await rewrap(desk.runtime.db, SEALED[:1], ring, lambda _: None, page_size=1)
        await asyncio.sleep(0.1)
    page = (await desk.post(tenant, f"/v1/connections/{made[0]}/consent")).json()
    await desk.sign_in("A0SELLER")
    assert (await desk.callback(await desk.visit(page["consent_url"]))).status_code == 200
    rotating = False
    await calling
    assert handed > len(made)
    await rewrap(desk.runtime.db, SEALED, ring, lambda _: None)
    assert await left(desk.runtime.db, SEALED, ring) == 0
    assert (await desk.broker.hand_out(tenant.account_id, made[0])).access_token.startswith("Atza|")


@pytest.mark.row("A7")
@pytest.mark.edge(21)
@pytest.mark.fault("F14")
@pytest.mark.fact("2.5")
@pytest.mark.parametrize(
    ("secrets", "refused"),
    [
        ("dev-only-not-yet-known,dev-only-secret-na", 1),
        ("dev-only-secret-na,dev-only-expired", 0),
        (" dev-only-not-yet-known , dev-only-secret-na ", 1),
    ],
)
async def test_while_an_app_secret_is_rotated_no_call_fails_and_the_good_one_is_remembered(
    open_desk: Any, secrets: str, refused: int
) -> None:
    desk = await open_desk(amazon_client_secret_na=secrets)
    tenant = await desk.tenant()
    await desk.seller()
    connection = UUID((await desk.connect(tenant))["id"])
    for _ in range(5):
        await desk.sql("update access_token set renew_at = now() - interval '1 second'")
        assert (await desk.broker.hand_out(tenant.account_id, connection)).access_token.startswith("Atza|")
    calls = (await desk.amazon.dial("GET", "/sandbox/books/calls"))["calls"]["token"]
    # The consent's exchange and the broker's first refresh each learn once which of the two is accepted.
    assert calls == {"200": 6} | ({"401": 2 * refused} if refused else {})
    assert (await desk.http.get(f"/v1/connections/{connection}", headers=tenant.headers)).json()["status"] == "active"


async def _rotated_at_amazon(desk: Any) -> str:
    """The app asks Amazon for its next secret, which arrives on the app's queue and nowhere else."""
    amazon = desk.amazon.urls
    sender = {"Effect": "Allow", "Principal": {"AWS": "437568002678"}, "Action": ["SQS:*"], "Resource": "*"}

    async def sqs(action: str, **parameters: Any) -> Any:
        headers = {"x-amz-target": f"AmazonSQS.{action}", "content-type": "application/x-amz-json-1.0"}
        return (await desk.http.post(f"{amazon['lwa']}/", json=parameters, headers=headers)).json()

    policy = json.dumps({"Statement": [sender]})
    queue = (await sqs("CreateQueue", QueueName="secrets", Attributes={"Policy": policy}))["QueueUrl"]
    named = await sqs("GetQueueAttributes", QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = {"secret_queue_arn": named["Attributes"]["QueueArn"]}
    await desk.amazon.dial("PUT", "/sandbox/apps/amzn1.sellerapps.app.entrepot-dev-na", arn)
    form = {
        "grant_type": "client_credentials",
        "scope": "sellingpartnerapi::client_credential:rotation",
        "client_id": "amzn1.application-oa2-client.entrepot-dev-na",
        "client_secret": "dev-only-secret-na",
    }
    token = (await desk.http.post(f"{amazon['lwa']}/auth/o2/token", data=form)).json()["access_token"]
    rotation = f"{amazon['na']}/applications/2023-11-30/clientSecret"
    assert (await desk.http.post(rotation, headers={"x-amz-access-token": token})).status_code == 204
    (message,) = (await sqs("ReceiveMessage", QueueUrl=queue))["Messages"]
    new: str = json.loads(message["Body"])["payload"]["applicationOAuthClientNewSecret"]["newClientSecret"]
    return new


@pytest.mark.row("A7")
@pytest.mark.edge(21)
@pytest.mark.fault("F14")
@pytest.mark.fact("2.5")
async def test_amazons_own_rotation_of_our_secret_is_rolled_out_with_no_refused_call(open_desk: Any) -> None:
    desk = await open_desk()
    tenant = await desk.tenant()
    await desk.seller()
    connection = UUID((await desk.connect(tenant))["id"])
    old, new = "dev-only-secret-na", await _rotated_at_amazon(desk)
    rolled_out = await open_desk(database_url=desk.runtime.db.url, amazon_client_secret_na=f"{new},{old}")

    async def refreshed(by: Any) -> None:
        await desk.sql("update access_token set renew_at = now() - interval '1 second'")
        assert (await by.broker.hand_out(tenant.account_id, connection)).access_token.startswith("Atza|")

    async def refused() -> int:
        return int((await desk.amazon.dial("GET", "/sandbox/books/calls"))["calls"]["token"].get("401", 0))

    for replica in (desk, rolled_out, desk, rolled_out):
        await refreshed(replica)
    assert await refused() == 0
    # A week later the old one is gone. It may still stand in the settings, and costs a process one question at most.
    await desk.amazon.dial("POST", "/sandbox/clock", {"advance_s": 7 * 86_400 + 1})
    await desk.sql("delete from access_token")
    careless = await open_desk(database_url=desk.runtime.db.url, amazon_client_secret_na=f"{old},{new}")
    for replica in (rolled_out, careless, careless, rolled_out):
        await refreshed(replica)
    assert await refused() == 1
