"""Access tokens that Amazon refuses again and again, as for a role that is missing (MISSION A8), and a grant that ends
meanwhile (A7)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from auth_service.access_tokens import ConnectionIsRevoked
from common import clock

pytestmark = [pytest.mark.row("A8"), pytest.mark.fault("F14")]


async def _connected(desk: Any) -> tuple[UUID, UUID]:
    tenant = await desk.tenant()
    await desk.seller()
    return tenant.account_id, UUID((await desk.connect(tenant))["id"])


async def test_a_connection_that_lacks_a_role_costs_no_more_sign_ins_than_any_other(desk: Any, replica: Any) -> None:
    """PERFORMANCE P14: some calls succeed, the others report each token as refused, for hours."""
    connection = await _connected(desk)
    hours = 10
    with time_machine.travel(clock.now(), tick=True) as traveller:
        for _ in range(hours * 6):
            for broker in (desk.broker, replica):
                token = (await broker.hand_out(*connection)).access_token
                await broker.hand_out(*connection, token[-8:])
            traveller.shift(timedelta(minutes=10))
            await desk.amazon.dial("POST", "/sandbox/clock", {"advance_s": 600})
    assert await desk.refreshes() <= hours * 1.1


async def test_once_tokens_are_good_again_a_refused_one_is_replaced_again(desk: Any) -> None:
    connection = await _connected(desk)
    first = (await desk.broker.hand_out(*connection)).access_token
    second = (await desk.broker.hand_out(*connection, first[-8:])).access_token
    assert (await desk.broker.hand_out(*connection, second[-8:])).access_token == second
    for settled in (True, False):
        await desk.sql("update access_token set renew_at = now()")
        renewed = (await desk.broker.hand_out(*connection)).access_token
        assert await desk.sql("select replaced_refused_at is not null from access_token") == [(settled,)]
    assert (await desk.broker.hand_out(*connection, renewed[-8:])).access_token != renewed


@pytest.mark.row("A7")
@pytest.mark.edge(21)
async def test_a_grant_that_ends_while_a_role_is_missing_is_noticed_at_the_next_renewal(desk: Any) -> None:
    connection = await _connected(desk)
    first = (await desk.broker.hand_out(*connection)).access_token
    second = (await desk.broker.hand_out(*connection, first[-8:])).access_token
    await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
    assert (await desk.broker.hand_out(*connection, second[-8:])).access_token == second
    await desk.sql("update access_token set renew_at = now()")
    with pytest.raises(ConnectionIsRevoked):
        await desk.broker.hand_out(*connection)
