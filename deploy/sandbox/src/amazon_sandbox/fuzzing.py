"""Fuzzes a running local Amazon with requests made from Amazon's models, half of them broken on purpose.

`python -m amazon_sandbox.fuzzing MODELS_FOLDER --seconds 600 --seed 1`: whatever is asked, it answers, and never with a
500 that was not asked for. The same seed asks the same as long as the answers are the same.
"""

import json
import re
import time
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import httpx
import typer

from amazon_sandbox.lwa import NOTIFICATIONS_SCOPE
from amazon_sandbox.sp_api import OPERATIONS
from amazon_sandbox.testing import LocalAmazon, SellingPartner, app_of, local_amazon

US = "ATVPDKIKX0DER"
_SELLER = "A1FUZZ"
_SKUS = ("A/B", "A%2FB", "a b", "007", "Ünïcode", "")
_RUBBISH: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**40, 1.5, -1e308),
    *("", " ", "0", "null", "TEST_CASE_400", US, f"{US},,", "A" * 5000),
    *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-45"),
    *("\x00", "\ud83d\ude00", "é", "../..", "%00", "{}", "[]", [], {}, [[]], [None], {"": None}, {"a": {"b": [{}]}}),
)
_DOCUMENTS = (b"{}", b"", b"<AmazonEnvelope/>", b"\x1f\x8b\x08", b'{"header": {}, "messages": []}')
# These dials would end the run, take away what it calls with, ask for errors, or take long.
_LEFT_ALONE = ("world", "faults", "settings", "clock", "quotas", "apps", "sellers", "static")
_MOST_KEPT = 40
# A rotated secret would end the run's own tokens.
_SERVED = {(one.method, one.path): one for one in OPERATIONS if one.name != "rotateApplicationClientSecret"}


class FuzzedOperation(NamedTuple):
    method: str
    template: str
    parameters: list[dict[str, Any]]
    definitions: dict[str, Any]
    name: str
    scope: str | None


class Finding(NamedTuple):
    """A request that was answered with a 500, or not at all."""

    method: str
    target: str
    body: str
    status: int


class Fuzzer:
    def __init__(self, models: Path, amazon: LocalAmazon, seed: int) -> None:
        """Empties the world of `amazon` and fills it with a seller to ask about."""
        self.operations = _read(models)
        self.findings: list[Finding] = []
        self.statuses: dict[str, Counter[int]] = defaultdict(Counter)
        self._random = Random(seed)  # noqa: S311 - to repeat, not to hide
        self._amazon = amazon
        self._seen: dict[str, list[str]] = defaultdict(list)
        amazon.dial("DELETE", "/sandbox/world")
        amazon.settings(quotas={"enabled": False}, search_lag_s=0)
        amazon.create_seller(_SELLER, "NA", US)
        wish = {"selling_partner_id": _SELLER, "marketplace_id": US}
        listings = [{"sku": sku, "price": 9.5, "quantity": 5} for sku in _SKUS if sku]
        amazon.dial("POST", "/sandbox/listings", {**wish, "listings": listings})
        orders = [{"lines": [{"sku": "007", "quantity": 2}]} for _ in range(20)]
        for placed in amazon.dial("POST", "/sandbox/orders", {**wish, "orders": orders})["orders"]:
            self._seen["orderId"].append(placed["amazon_order_id"])
            self._seen["orderItemId"] += placed["order_item_ids"]
        self._partner: SellingPartner = amazon.connect(_SELLER, "NA")
        self._grantless = self._granted(grant_type="client_credentials", scope=NOTIFICATIONS_SCOPE)
        dials = [dial["dial"].split(" ", 1) for dial in amazon.dial("GET", "/sandbox")["dials"]]
        left_alone = tuple(f"/sandbox/{name}" for name in _LEFT_ALONE)
        self._dials = [(method, path) for method, path in dials if not path.startswith(left_alone)]

    def run(self, *, requests: int | None = None, seconds: float | None = None) -> None:
        """Asks so many times, or so long."""
        ends = time.monotonic() + seconds if seconds is not None else None
        done = 0
        while (requests is None or done < requests) and (ends is None or time.monotonic() < ends):
            kind = self._random.random()
            if kind < 0.9:
                self._ask(self._random.choice(self.operations))
            elif kind < 0.95:
                self._turn(*self._random.choice(self._dials))
            elif kind < 0.98:
                self._ask_for_a_token()
            else:
                self._carry_a_document()
            done += 1
            if done % 200 == 0:
                self._amazon.advance(130)  # what was accepted shows, and tokens grow old
                refresh_token = self._partner.refresh_token
                self._partner.access_token = self._granted(grant_type="refresh_token", refresh_token=refresh_token)
                self._grantless = self._granted(grant_type="client_credentials", scope=NOTIFICATIONS_SCOPE)

    def _granted(self, **form: str) -> str:
        answer = self._amazon.token("NA", **form)
        if answer.is_error:
            raise RuntimeError(f"no token for the fuzzer itself: {answer.text}")
        token: str = answer.json()["access_token"]
        return token

    def _ask(self, operation: FuzzedOperation) -> None:
        path, query = operation.template, []
        body: bytes | None = None
        for parameter in operation.parameters:
            name, where = parameter["name"], parameter["in"]
            if where == "path":
                path = path.replace(f"{{{name}}}", quote(self._text(name, parameter), safe=""))
            elif where == "query" and self._random.random() < (0.95 if parameter.get("required") else 0.25):
                query.append(f"{name}={quote(self._text(name, parameter), safe=',')}")
            elif where == "body":
                body = self._body(operation, parameter)
        if self._random.random() < 0.03:
            query.append(self._random.choice(("%FF=%FF", "=", "&&", "a", "marketplaceIds=", "pageToken=%F0%9F")))
        token = self._partner.access_token if operation.scope is None else self._grantless
        self._send(operation.name, operation.method, path + ("?" + "&".join(query) if query else ""), body, token=token)

    def _text(self, name: str, schema: dict[str, Any]) -> str:
        if self._random.random() < 0.1:
            return _as_text(self._random.choice(_RUBBISH))
        if name in ("sellerId", "SellerId"):
            return _SELLER
        if name in ("marketplaceIds", "MarketplaceIds", "marketplaceId", "MarketplaceId"):
            return US
        if name in ("sku", "SellerSKU", "sellerSku"):
            return self._random.choice(_SKUS)
        if self._seen.get(name) and self._random.random() < 0.8:
            return self._random.choice(self._seen[name])
        return _as_text(self._sample(schema, {}, 2))

    def _body(self, operation: FuzzedOperation, parameter: dict[str, Any]) -> bytes:
        chance = self._random.random()
        if chance < 0.04:
            return self._random.choice((b"", b"{", b"[" * 50_000, b"\xff\xfe", b'"text"', b"null", b'{"a":1e999}'))
        document = self._sample(parameter["schema"], operation.definitions, 7)
        for _ in range(self._random.choice((0, 0, 1, 1, 2))):
            document = self._broken(document)
        return json.dumps(document).encode()

    def _sample(self, schema: dict[str, Any], definitions: dict[str, Any], depth: int, name: str = "") -> Any:
        """A value of the schema, more or less."""
        if "$ref" in schema:
            schema = definitions.get(schema["$ref"].rsplit("/", 1)[1], {})
        if "allOf" in schema:
            parts = [self._sample(part, definitions, depth, name) for part in schema["allOf"]]
            return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        if name in ("marketplaceId", "marketplace_id"):
            return US
        if self._seen.get(name) and self._random.random() < 0.8:
            return self._random.choice(self._seen[name])
        match schema.get("type"):
            case "array":
                if name.startswith("marketplaceIds"):
                    return [US]
                items = schema.get("items", {})
                least = max(1, int(schema.get("minItems", 1)))
                return [self._sample(items, definitions, depth - 1) for _ in range(least)] if depth > 0 else []
            case "integer":
                return self._random.randint(0, 5)
            case "number":
                return self._random.choice((0, 1, 9.99))
            case "boolean":
                return self._random.random() < 0.5
            case "string":
                return self._string(schema, name)
        required = schema.get("required", ())
        return {
            key: self._sample(part, definitions, depth - 1, key)
            for key, part in schema.get("properties", {}).items()
            if key in required or (depth > 0 and self._random.random() < 0.5)
        } or self._attributes(name)

    def _string(self, schema: dict[str, Any], name: str) -> str:
        if schema.get("format") == "date-time" or name.endswith(("Date", "Time", "After", "Before")):
            return self._random.choice(("2026-01-02T03:04:05Z", "2025-12-31T00:00:00.000Z", "2026-02-30", "x"))
        known = {
            "packageReferenceId": ("1", "2"),
            "carrierCode": ("UPS", "Other"),
            "path": ("/attributes/fulfillment_availability", "/attributes/purchasable_offer", "/attributes/item_name"),
            "feedType": ("JSON_LISTINGS_FEED", "POST_ORDER_ACKNOWLEDGEMENT_DATA"),
            "reportType": ("GET_MERCHANT_LISTINGS_ALL_DATA",),
            "contentType": ("application/json; charset=UTF-8", "text/xml"),
            "productType": ("PRODUCT",),
        }
        return self._random.choice(known.get(name, ("a", "B000000001", "x y", "1")))

    def _attributes(self, name: str) -> dict[str, Any]:
        """What stands where the model says only `object`: the attributes of a listing."""
        offer = {"marketplace_id": US, "currency": "USD", "our_price": [{"schedule": [{"value_with_tax": 9}]}]}
        instance = {"fulfillment_channel_code": "DEFAULT", "quantity": self._random.randint(0, 9)}
        if name != "attributes":
            return self._random.choice((offer, instance, {"value": "x", "marketplace_id": US}))
        return {
            "purchasable_offer": [offer],
            "fulfillment_availability": [instance],
            "condition_type": [{"value": "new_new", "marketplace_id": US}],
            "merchant_suggested_asin": [{"value": "B000000001", "marketplace_id": US}],
        }

    def _broken(self, document: Any) -> Any:
        """The same with one place of it gone, added or replaced."""
        rubbish = self._random.choice(_RUBBISH)
        if isinstance(document, dict) and document and self._random.random() < 0.85:
            key = self._random.choice(list(document))
            action = self._random.random()
            if action < 0.2:
                return {name: value for name, value in document.items() if name != key}
            if action < 0.3:
                return {**document, _as_text(rubbish): rubbish}
            return {**document, key: self._broken(document[key])}
        if isinstance(document, list) and document and self._random.random() < 0.85:
            at = self._random.randrange(len(document))
            return [*document[:at], self._broken(document[at]), *document[at + 1 :]]
        return rubbish

    def _turn(self, method: str, path: str) -> None:
        for name in ("selling_partner_id", "order_id"):
            known = {"selling_partner_id": _SELLER, "order_id": self._random.choice(self._seen["orderId"])}[name]
            path = path.replace(f"{{{name}}}", self._random.choice((known, "nobody", "%00")))
        body = self._broken({"selling_partner_id": _SELLER, "marketplace_id": US, "region": "NA", "listings": []})
        query = self._random.choice(("", f"?selling_partner_id={_SELLER}&marketplace_id={US}", "?region=%FF&sku=a"))
        self._send("dial", method, path + query, json.dumps(body).encode(), self._amazon.urls["dials"])

    def _ask_for_a_token(self) -> None:
        app = app_of("NA")
        form: dict[str, Any] = {
            "grant_type": self._random.choice(("refresh_token", "authorization_code", "client_credentials", "x")),
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "refresh_token": self._partner.refresh_token,
            "scope": "sellingpartnerapi::notifications",
        }
        form = self._broken(form)
        body = json.dumps(form).encode() if self._random.random() < 0.5 else _as_text(form).encode("utf-8", "replace")
        self._send("token", "POST", "/auth/o2/token", body, self._amazon.urls["lwa"])

    def _carry_a_document(self) -> None:
        if self._seen["url"]:
            target = self._random.choice(self._seen["url"])
            method = self._random.choice(("PUT", "PUT", "GET", "DELETE"))
            body = self._random.choice(_DOCUMENTS)
            self._send("document", method, target, body, "")

    def _send(
        self, name: str, method: str, target: str, body: bytes | None, base: str | None = None, token: str = ""
    ) -> None:
        chosen = self._random.choice((token,) * 40 + ("Atza|nobody", self._partner.access_token))
        headers = {"x-amz-access-token": chosen, "content-type": "application/json"}
        origin = self._amazon.urls["na"] if base is None else base
        try:
            answer = self._amazon.http.request(method, origin + target, content=body, headers=headers)
            status = answer.status_code
            if status < 300 and base is None:
                self._remember(answer)
        except httpx.TransportError:
            status = 0
        except (httpx.InvalidURL, UnicodeError):
            return  # httpx does not let it out
        self.statuses[name][status] += 1
        if status == 0 or status >= 500:
            self.findings.append(Finding(method, target, (body or b"").decode("utf-8", "replace")[:2000], status))

    def _remember(self, answer: httpx.Response) -> None:
        """Ids and tokens of answers are asked about later."""
        try:
            document = answer.json()
        except ValueError:
            return
        waiting: list[Any] = [document]
        while waiting:
            one = waiting.pop()
            if isinstance(one, dict):
                for key, value in one.items():
                    if isinstance(value, str) and (key.endswith(("Id", "Token", "Arn")) or key == "url"):
                        for name in ("paginationToken", "pageToken") if key == "nextToken" else (str(key),):
                            self._seen[name] = [*self._seen[name], value][-_MOST_KEPT:]
                    else:
                        waiting.append(value)
            elif isinstance(one, list):
                waiting += one


def _read(models: Path) -> list[FuzzedOperation]:
    operations = []
    for file in sorted(models.glob("*-api-model/*.json")):
        model = json.loads(file.read_bytes())
        for path, methods in model["paths"].items():
            for method, operation in methods.items():
                shape = re.sub(r"\{[^}]*\}", "*", path.strip("/"))
                if (method.upper(), shape) in _SERVED:
                    parameters = operation.get("parameters", [])
                    definitions = model.get("definitions", {})
                    name = operation["operationId"]
                    scope = _SERVED[method.upper(), shape].scope
                    operations.append(FuzzedOperation(method.upper(), path, parameters, definitions, name, scope))
    return operations


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_as_text, value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else json.dumps(value)


def main(
    models: Annotated[Path, typer.Argument(help="Amazon's model files.", exists=True, file_okay=False)],
    seconds: Annotated[float, typer.Option(help="How long.")] = 600.0,
    seed: Annotated[int, typer.Option(help="Another seed asks other things.")] = 1,
) -> None:
    """Starts a local Amazon, asks it rubbish, and says what it could not answer."""
    with local_amazon("--no-quotas") as urls, httpx.Client(timeout=30) as http:
        fuzzer = Fuzzer(models, LocalAmazon(http, urls), seed)
        fuzzer.run(seconds=seconds)
    total = sum(counter.total() for counter in fuzzer.statuses.values())
    answered = sorted(Counter(status for counter in fuzzer.statuses.values() for status in counter.elements()).items())
    typer.echo(f"{total} requests to {len(fuzzer.statuses)} operations; answers by status: {dict(answered)}")
    for finding in fuzzer.findings[:20]:
        typer.echo(f"{finding.status} {finding.method} {finding.target}\n    {finding.body}")
    if fuzzer.findings:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
