"""The consent in headless Chromium: a person's clicks on Amazon's pages, and our cookie between them."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from auth_service.testing import served
from local_stack.ports import free_port

US = "ATVPDKIKX0DER"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium on this machine: `make browser` as root installs Debian's"
    ),
    pytest.mark.timeout(240),
]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield started
        await started.close()


@pytest_asyncio.fixture
async def outside(desk: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """Auth as a process at an address that Amazon knows as the app's, before a seller who clicks for himself."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    callback = f"{address}/v1/oauth/callback"
    pages = {"auto_consent": False, "redirect_uris": [callback], "login_uri": f"{address}/v1/oauth/login"}
    await desk.amazon.dial("PUT", "/sandbox/settings", pages)
    async with served(desk, port, tmp_path / "log", AMAZON_REDIRECT_URI=callback) as reached:
        yield reached


async def _shown(page: Page) -> Any:
    """The JSON that our page shows where there is no frontend."""
    return json.loads(await page.inner_text("pre"))


async def _confirm(page: Page, selling_partner_id: str) -> None:
    await page.get_by_label(selling_partner_id).check()
    await page.get_by_role("button", name="Confirm").click()


@pytest.mark.row("A1")
@pytest.mark.row("A2")
@pytest.mark.fact("2.1")
async def test_a_seller_walks_from_the_new_connection_over_the_consent_page_to_active(
    outside: Any, browser: Browser
) -> None:
    tenant = await outside.tenant()
    await outside.seller("A2ANOTHER")
    await outside.seller("A1SELLER")
    merchant = await browser.new_context()
    body = {"name": "Main", "selling_partner_id": "A1SELLER", "marketplace_id": US}
    created = await merchant.request.post(
        f"{str(outside.http.base_url).rstrip('/')}/v1/connections", headers=tenant.headers, data=body
    )
    assert created.status == 201
    consent_url = (await created.json())["consent_url"]

    # A stranger to whom the link was sent confirms it: nothing comes of it.
    stranger = await (await browser.new_context()).new_page()
    await stranger.goto(consent_url)
    await _confirm(stranger, "A1SELLER")
    assert (await _shown(stranger))["type"] == "/problems/consent-of-another-browser"

    page = await merchant.new_page()
    await page.goto(consent_url)
    assert "Entrepot Development NA" in await page.inner_text("h1")
    await _confirm(page, "A1SELLER")
    shown = await _shown(page)
    assert (shown["status"], shown["selling_partner_id"]) == ("active", "A1SELLER")
    assert await page.evaluate("document.cookie") == ""
    # The page's address holds a code; no other page learns it.
    assert await page.evaluate("document.referrer") == ""
    path = f"/v1/connections/{shown['id']}"
    assert (await outside.http.get(path, headers=tenant.headers)).json()["status"] == "active"
    assert (await outside.post(tenant, f"{path}/check")).status_code == 200


@pytest.mark.row("A3")
@pytest.mark.fact("2.2")
async def test_a_seller_who_begins_in_seller_central_ends_as_an_active_connection(
    outside: Any, browser: Browser
) -> None:
    tenant = await outside.tenant()
    await outside.seller("A1SELLER")
    merchant = await browser.new_context()
    page = await merchant.new_page()
    await page.goto(f"{outside.amazon.urls['consent']}/apps/manage")
    await page.get_by_role("button", name="Authorize").first.click()
    kept = await _shown(page)
    address = str(outside.http.base_url).rstrip("/")
    claimed = await merchant.request.post(
        f"{address}/v1/authorizations/{kept['authorization_id']}/claim", headers=tenant.headers
    )
    assert claimed.status == 200, await claimed.text()
    await page.goto((await claimed.json())["redirect_url"])
    shown = await _shown(page)
    assert (shown["status"], shown["selling_partner_id"]) == ("active", "A1SELLER")
