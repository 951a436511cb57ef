"""Creating, editing, switching and deleting connections; the marketplaces to choose from (MISSION A1, A5, A7)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from auth_service.lifecycle import CALLABLE, TOLD_AS, TRANSITIONS, enabling
from common.contracts.connections import ConnectionAuthorized, ConnectionChanged, ConnectionDisabled
from common.testing.events import clear_outbox

US, MX, UK = "ATVPDKIKX0DER", "A1AM78C64UM0Y8", "A1F83G8C2ARO7P"


@pytest.mark.row("A1")
@pytest.mark.row("A5")
async def test_a_new_connection_is_pending_and_names_the_consent_page(desk: Any) -> None:
    tenant = await desk.tenant()
    created = await desk.create(tenant)
    assert created["status"] == "pending"
    assert (created["region"], created["home_marketplace_id"]) == ("NA", US)
    page = urlsplit(created["consent_url"])
    query = {name: values[0] for name, values in parse_qs(page.query).items()}
    assert created["consent_url"].startswith(desk.amazon.urls["consent"] + "/apps/authorize/consent?")
    assert query["application_id"] == "amzn1.sellerapps.app.entrepot-dev-na"
    assert len(query["state"]) == 43
    assert "version" not in query
    stored = (await desk.http.get(f"/v1/connections/{created['id']}", headers=tenant.headers)).json()
    page_only = {"consent_url", "developer_name", "developer_account"}
    assert {name: value for name, value in created.items() if name not in page_only} == stored
    # Amazon's page names the developer: another app in each region group (MISSION A5).
    assert (created["developer_name"], created["developer_account"]) == ("Entrepot Development NA", "1000-NA")


@pytest.mark.row("A1")
@pytest.mark.fact("2.1")
async def test_without_an_override_the_seller_central_of_the_marketplace_is_opened(open_desk: Any) -> None:
    desk = await open_desk(amazon_consent_url="", amazon_app_draft_na=True, amazon_app_draft_fe=True)
    tenant = await desk.tenant()
    for number, (marketplace_id, host, app) in enumerate(
        (
            (US, "sellercentral.amazon.com", "na"),
            (MX, "sellercentral.amazon.com.mx", "na"),
            (UK, "sellercentral-europe.amazon.com", "eu"),
            ("A1VC38T7YXB528", "sellercentral.amazon.co.jp", "fe"),
        )
    ):
        created = await desk.create(tenant, f"A{number}SELLER", marketplace_id)
        page = urlsplit(created["consent_url"])
        assert (page.scheme, page.netloc, page.path) == ("https", host, "/apps/authorize/consent")
        assert parse_qs(page.query)["application_id"] == [f"amzn1.sellerapps.app.entrepot-dev-{app}"]
        assert parse_qs(page.query).get("version") == (None if app == "eu" else ["beta"])


_REFUSED: tuple[tuple[dict[str, str], str], ...] = (
    ({"marketplace_id": "A38D8NSA03LJTC"}, "unknown-marketplace"),
    ({"marketplace_id": "UK"}, "unknown-marketplace"),
    ({"selling_partner_id": "not an id"}, "invalid-request"),
    ({"name": "  "}, "invalid-request"),
    ({"refresh_token": "Atzr|given"}, "invalid-request"),
)


@pytest.mark.row("A1")
async def test_a_connection_of_wrong_data_is_refused_with_the_reason(desk: Any) -> None:
    tenant = await desk.tenant()
    for changes, slug in _REFUSED:
        body = {"name": "Main", "selling_partner_id": "A1SELLER", "marketplace_id": US} | changes
        answer = await desk.post(tenant, "/v1/connections", body)
        assert (answer.status_code, answer.json()["type"]) == (400, f"/problems/{slug}"), changes
        assert "Atzr|given" not in answer.text
    assert await desk.sql("select 1 from connection") == []


@pytest.mark.row("A5")
async def test_a_region_without_an_app_is_said_with_the_settings_to_fill(open_desk: Any) -> None:
    desk = await open_desk(amazon_app_id_eu="")
    tenant = await desk.tenant()
    body = {"name": "UK", "selling_partner_id": "A1SELLER", "marketplace_id": UK}
    answer = await desk.post(tenant, "/v1/connections", body)
    assert answer.json()["type"] == "/problems/amazon-app-not-configured"
    assert "AMAZON_APP_ID_EU" in answer.json()["fix"]
    assert await desk.sql("select 1 from connection") == []


async def test_a_seller_is_connected_once_per_account_and_region(desk: Any, all_at_once: Any) -> None:
    tenant, other = await desk.tenant(), await desk.tenant("Other")
    body = {"name": "Main", "selling_partner_id": "A1SELLER", "marketplace_id": US}
    answers = await all_at_once(*(desk.post(tenant, "/v1/connections", body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    created = next(answer.json() for answer in answers if answer.status_code == 201)
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"] == "/problems/connection-exists"
            assert answer.json()["connection_id"] == created["id"]
    assert (await desk.post(tenant, "/v1/connections", body | {"marketplace_id": UK})).status_code == 201
    assert (await desk.post(other, "/v1/connections", body)).status_code == 201


@pytest.mark.row("A1")
async def test_a_repeated_create_answers_the_same_connection_with_a_page_that_works(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    body = {"name": "Main", "selling_partner_id": "A1SELLER", "marketplace_id": US}
    headers = tenant.headers | {"idempotency-key": "once"}
    posts = [await desk.http.post("/v1/connections", json=body, headers=headers) for _ in range(2)]
    first, second = [desk.remember(answer).json() for answer in posts]
    assert second["id"] == first["id"]
    assert second["consent_url"] != first["consent_url"]
    kept = await desk.sql("select convert_from(answer, 'utf8') from idempotency_key")
    assert "state" not in kept[0][0].replace('"status"', "")
    assert (await desk.callback(await desk.visit(second["consent_url"]))).json()["status"] == "active"


async def test_name_and_home_marketplace_change_inside_the_region_only(desk: Any) -> None:
    tenant = await desk.tenant()
    created = await desk.create(tenant)
    path = f"/v1/connections/{created['id']}"
    edited = await desk.http.patch(path, json={"name": "Renamed", "marketplace_id": MX}, headers=tenant.headers)
    assert (edited.json()["name"], edited.json()["home_marketplace_id"]) == ("Renamed", MX)
    refused = await desk.http.patch(path, json={"marketplace_id": UK}, headers=tenant.headers)
    assert refused.json()["type"] == "/problems/other-region"
    await desk.http.patch(path, json={"name": "Renamed"}, headers=tenant.headers)

    events = await desk.announced()
    assert [(type(event), event.version, event.name, event.home_marketplace_id) for event in events] == [
        (ConnectionChanged, 1, "Renamed", MX)
    ]


@pytest.mark.row("A7")
async def test_disabling_and_enabling_keep_the_grant_and_are_announced_once_each(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    path = f"/v1/connections/{connection['id']}"
    for verb, status in (("disable", "disabled"), ("disable", "disabled"), ("enable", "active"), ("enable", "active")):
        assert (await desk.post(tenant, f"{path}/{verb}")).json()["status"] == status
    events = await desk.announced()
    assert [(type(event), event.version, event.status) for event in events] == [
        (ConnectionAuthorized, 1, "active"),
        (ConnectionDisabled, 2, "disabled"),
        (ConnectionChanged, 3, "active"),
    ]
    check = await desk.post(tenant, f"{path}/check")
    assert check.status_code == 200


@pytest.mark.row("A7")
async def test_a_disabled_connection_gets_no_consent_page_and_no_calls(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    path = f"/v1/connections/{(await desk.connect(tenant))['id']}"
    await desk.post(tenant, f"{path}/disable")
    assert (await desk.post(tenant, f"{path}/consent")).json()["type"] == "/problems/connection-disabled"
    assert (await desk.post(tenant, f"{path}/check")).json()["type"] == "/problems/connection-not-active"


@pytest.mark.row("A6")
async def test_a_connection_with_channels_is_not_deleted_and_says_which(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    body = {"name": "US shop", "connection_id": connection["id"], "marketplace_id": US, "seller_of_record": "Shop Ltd"}
    channel = (await desk.post(tenant, "/v1/channels", body)).json()
    path = f"/v1/connections/{connection['id']}"
    refused = await desk.http.delete(path, headers=tenant.headers)
    assert refused.status_code == 409
    assert refused.json()["channels"] == [{"id": channel["id"], "name": "US shop"}]

    await desk.http.delete(f"/v1/channels/{channel['id']}", headers=tenant.headers)
    await clear_outbox(desk.runtime.db)
    assert (await desk.http.delete(path, headers=tenant.headers)).status_code == 204
    (event,) = await desk.announced()
    assert (type(event), event.status, event.connection_id) == (ConnectionDisabled, "deleted", UUID(connection["id"]))
    assert (await desk.http.get(path, headers=tenant.headers)).status_code == 404
    assert await desk.sql("select 1 from consent union all select 1 from access_token") == []
    assert (await desk.create(tenant))["id"] != connection["id"]


async def test_connections_are_listed_page_by_page(desk: Any) -> None:
    tenant = await desk.tenant()
    made = [(await desk.create(tenant, f"A{number}SELLER"))["id"] for number in range(5)]
    seen: list[str] = []
    parameters: dict[str, Any] = {"limit": 2}
    while True:
        page = (await desk.http.get("/v1/connections", params=parameters, headers=tenant.headers)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert seen == made
    wrong = await desk.http.get("/v1/connections", params={"cursor": "bm90IGpzb24="}, headers=tenant.headers)
    assert wrong.status_code == 400


@pytest.mark.row("A5")
@pytest.mark.edge(29)
@pytest.mark.fact("1.1")
async def test_all_marketplaces_are_listed_with_the_app_their_sellers_authorise(desk: Any) -> None:
    tenant = await desk.tenant()
    items = (await desk.http.get("/v1/marketplaces", headers=tenant.headers)).json()["items"]
    assert len(items) == len({item["marketplace_id"] for item in items}) == 23
    developers = {(item["region"], item["developer_name"], item["developer_account"]) for item in items}
    assert developers == {(r, f"Entrepot Development {r}", f"1000-{r}") for r in ("NA", "EU", "FE")}
    by_code = {item["country_code"]: item for item in items}
    assert (by_code["BR"]["region"], by_code["IN"]["region"], by_code["AU"]["region"]) == ("NA", "EU", "FE")
    assert (by_code["UK"]["currency"], by_code["UK"]["marketplace_id"]) == ("GBP", UK)


@pytest.mark.row("A7")
def test_the_transition_table_knows_every_state_and_leaves_disabled_to_people() -> None:
    states = {"pending", "active", "reauthorization_due", "revoked", "disabled"}
    assert {state for pair in TRANSITIONS.items() for state in (pair[0][0], pair[1])} == states
    assert {happening for _, happening in TRANSITIONS} == set(TOLD_AS)
    assert {happening for state, happening in TRANSITIONS if state == "disabled"} == {
        "enabled",
        "enabled_refused",
        "enabled_unfinished",
    }
    assert {state for state in states if (state, "refused") in TRANSITIONS} == CALLABLE
    for grant, was, status in ((True, True, "active"), (False, True, "revoked"), (False, False, "pending")):
        assert TRANSITIONS["disabled", enabling(holds_grant=grant, was_authorized=was)] == status
