"""A supplier's system in another language (README.md) does its whole job over events and HTTP."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_stack.demo.hands import Amazon, Merchant, StepFailed, until
from local_stack.demo.running import LOCAL_AMAZON, new_stack
from local_stack.services import NAMES, SERVICES, create_account
from local_stack.stack import INFRASTRUCTURE, Stack, start_stack

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1800)]

HERE = Path(__file__).parent
US = "ATVPDKIKX0DER"
SELLER = "A1FOREIGN"
SKU = "50% off/Größe 1"
TRACKING_NUMBER = "1Z999AA10123456784"
PATIENCE = 300.0


def java(folder: Path) -> list[str]:
    classpath = folder / "classpath"
    _made(["mvn", "-B", "-q", "-ntp", "dependency:build-classpath", f"-Dmdep.outputFile={classpath}"], HERE / "java")
    needs = classpath.read_text().strip()
    _made(["javac", "-cp", needs, "-d", str(folder), str(HERE / "java" / "SupplierSystem.java")], folder)
    return ["java", "-Xmx128m", "-cp", f"{folder}:{needs}", "SupplierSystem"]


def javascript(folder: Path) -> list[str]:
    for name in ("package.json", "package-lock.json", "supplier.js"):
        shutil.copy(HERE / "javascript" / name, folder)
    _made(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    return ["node", "supplier.js"]


LANGUAGES: dict[str, tuple[tuple[str, ...], Callable[[Path], list[str]]]] = {
    "java": (("javac", "mvn"), java),
    "javascript": (("node", "npm"), javascript),
}


def _made(argv: list[str], folder: Path) -> None:
    """Runs a build tool; its caches are where it always keeps them."""
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{argv[0]}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


@dataclass(frozen=True)
class Market:
    """A running product with one seller, one channel, one linked listing and one order that nobody has read yet."""

    stack: Stack
    account: dict[str, str]
    amazon_order_id: str

    def environment(self) -> dict[str, str]:
        """What a supplier is told: addresses, its key, what it ships."""
        addresses = {f"{name.upper()}_URL": self.stack.addresses[name] for name in NAMES}
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": self.stack.environment["KAFKA_BOOTSTRAP_SERVERS"]}
        told = {"API_KEY": self.account["key"], "SKU": SKU, "TRACKING_NUMBER": TRACKING_NUMBER}
        return dict(os.environ) | addresses | kafka | told

    async def packages(self) -> list[Any]:
        """Amazon's books."""
        amazon = Amazon(self.stack.addresses["sandbox"])
        try:
            books = await amazon.dial("GET", "/books/orders", selling_partner_id=SELLER)
        finally:
            await amazon.close()
        (order,) = books["orders"]
        packages: list[Any] = order["packages"]
        return packages


async def open_market(stack: Stack, key: str) -> str:
    """The merchant's part; the id of the order that waits at Amazon."""
    merchant, amazon = Merchant(stack.addresses, key), Amazon(stack.addresses["sandbox"])
    try:
        await amazon.dial("PUT", "/settings", LOCAL_AMAZON)
        seller = {"selling_partner_id": SELLER, "region": "NA", "name": "Acme", "marketplaces": [US]}
        await amazon.dial("POST", "/sellers", seller)
        at = {"selling_partner_id": SELLER, "marketplace_id": US}
        listing = {"sku": SKU, "title": "Mug", "price": 9.99, "quantity": 1}
        await amazon.dial("POST", "/listings", at | {"listings": [listing]})
        line = {"sku": SKU, "quantity": 2, "unit_price": 9.99}
        placed = await amazon.dial("POST", "/orders", at | {"orders": [{"lines": [line]}]})
        await merchant.sign_in()
        connection = await merchant.call("auth", "POST", "/v1/connections", {"name": "Acme"} | at)
        await merchant.visit(connection["consent_url"])
        address = {"line_1": "1 Road", "city": "Springfield", "postal_code": "12345", "country_code": "US"}
        asked = {"name": "Acme", "connection_id": connection["id"], "marketplace_id": US, "seller_of_record": "Acme"}
        asked["return_address"] = address | {"name": "Acme"}
        channel = await merchant.call("auth", "POST", "/v1/channels", asked)

        async def mapped() -> bool:
            path = f"/v1/channels/{channel['id']}/shipping-mappings/defaults"
            try:
                await merchant.call("orders", "POST", path)
                await merchant.call("listings", "POST", "/v1/listings", {"listings": [row]})
            except StepFailed:  # the channel is on its way to them
                return False
            return True

        price = {"amount": "9.99", "currency": "USD"}
        row = {"channel_id": channel["id"], "sku": SKU, "title": "Mug", "quantity": 1, "price": price}
        await until("the channel at orders and listings", mapped, within=PATIENCE)
        body = {"operation": "link", "channel_id": channel["id"]}
        run = await merchant.call("listings", "POST", "/v1/operations", body)
        await merchant.finished("listings", run, within=PATIENCE)
        amazon_order_id: str = placed["orders"][0]["amazon_order_id"]
        return amazon_order_id
    finally:
        await merchant.close()
        await amazon.close()


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    stack = new_stack()
    try:
        start_stack((*INFRASTRUCTURE, *SERVICES), stack, lambda _: None)
        account = create_account(stack, "Merchant")
        yield Market(stack, account, asyncio.run(open_market(stack, account["key"])))
    finally:
        stack.supervisor.stop()
        shutil.rmtree(stack.state_dir, ignore_errors=True)


@pytest.mark.row("E3")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_supplier_of_another_language_does_its_whole_job_by_the_documents(
    language: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tools, build = LANGUAGES[language]
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    argv = build(tmp_path)
    market: Market = request.getfixturevalue("market")
    ran = subprocess.run(
        argv, env=market.environment(), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1500
    )
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}{ran.stderr[-5000:]}"
    seen = json.loads(ran.stdout.strip().splitlines()[-1])
    assert seen["requested"]["amazon_order_id"] == market.amazon_order_id
    assert [line["quantity"] for line in seen["requested"]["lines"]] == [2]
    assert seen["confirmed"]["amazon_order_id"] == market.amazon_order_id
    assert seen["refusal"]["state"] == "refused"
    assert "items" in seen["refusal"]["reason"]
    assert "again under a new id" in seen["refusal"]["fix"]
    (package,) = asyncio.run(market.packages())
    assert package["tracking_number"] == TRACKING_NUMBER
