"""The page of each API in a real browser: it shows the operations, asks only its service, and breaks no policy."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from auth_service.app import SERVICE as AUTH
from common.app import Service
from common.testing.plugin import RunService
from compliance_service.app import SERVICE as COMPLIANCE
from listings_service.app import SERVICE as LISTINGS
from orders_service.app import SERVICE as ORDERS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield started
        await started.close()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: `make browser` as root installs Debian's")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("service", [AUTH, LISTINGS, ORDERS, COMPLIANCE], ids=lambda service: service.name)
async def test_the_api_page_works_without_the_internet(
    run_service: RunService, browser: Browser, service: Service[Any]
) -> None:
    running = await run_service(service)
    page = await browser.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(f"{running.url}/docs")
    await page.locator(".opblock").first.wait_for(timeout=120_000)
    document = (await running.http.get("/openapi.json")).json()
    assert await page.locator(".opblock").count() >= len(document["paths"])
    await page.locator(".opblock-summary").first.click()
    await page.locator(".opblock-body").first.wait_for(timeout=60_000)
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {running.url.split("/")[2]}
    assert said == []
