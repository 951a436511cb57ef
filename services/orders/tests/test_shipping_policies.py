"""Shipping policies: one that something still uses is not deleted, and the answer says what uses it."""

import pytest

from orders_service.testing import Shop


async def _policies(shop: Shop) -> dict[str, str]:
    return {one["name"]: one["id"] for one in (await shop.call("GET", "/v1/shipping-policies"))["items"]}


@pytest.mark.row("C1")
async def test_a_policy_that_nothing_uses_is_deleted(shop: Shop) -> None:
    policy = await shop.call("POST", "/v1/shipping-policies", {"name": "Mistyped"})
    path = f"/v1/shipping-policies/{policy['id']}"
    assert (await shop.request("DELETE", path)).status_code == 204
    assert "Mistyped" not in await _policies(shop)
    assert (await shop.request("DELETE", path)).status_code == 404


@pytest.mark.row("C1")
async def test_a_policy_that_is_mapped_to_or_that_an_open_order_has_stays(shop: Shop) -> None:
    await shop.place({})
    await shop.get_orders()
    path = f"/v1/shipping-policies/{(await _policies(shop))['Standard']}"

    mapped = await shop.request("DELETE", path)
    assert (mapped.status_code, mapped.json()["type"]) == (409, "/problems/shipping-policy-in-use")
    assert [one["id"] for one in mapped.json()["channels"]] == [str(one) for one in shop.channels.values()]

    for channel_id in shop.channels.values():
        await shop.call("PUT", f"/v1/channels/{channel_id}/shipping-mappings", {"mappings": []})
    ordered = await shop.request("DELETE", path)
    assert (ordered.status_code, ordered.json()["type"]) == (409, "/problems/shipping-policy-in-use")
    assert "1 open order" in ordered.json()["detail"]
    assert "Standard" in await _policies(shop)

    unused = f"/v1/shipping-policies/{(await _policies(shop))['Expedited']}"
    assert (await shop.request("DELETE", unused)).status_code == 204
