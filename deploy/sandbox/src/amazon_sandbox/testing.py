"""Starts a local Amazon as a child process and drives it over HTTP, for tests: ours and yours (extra `testing`)."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from amazon_sandbox.apps import APPS, App
from amazon_sandbox.lwa import NOTIFICATIONS_SCOPE
from amazon_sandbox.marketplaces import RegionCode

REDIRECT_URI = "http://127.0.0.1:9/callback"

Check = Callable[[httpx.Response], None]


@contextmanager
def local_amazon(*options: str) -> Iterator[dict[str, str]]:
    """Runs `python -m amazon_sandbox` on free ports; gives the URLs it is ready on and stops it afterwards."""
    command = [sys.executable, "-m", "amazon_sandbox", "--redirect-uri", REDIRECT_URI]
    command += [part for name in ("port", "na-port", "eu-port", "fe-port") for part in (f"--{name}", "0")]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            status = process.wait(timeout=10)
        assert status == 0, f"the local Amazon ended with status {status}"


def app_of(region: RegionCode) -> App:
    return next(app for app in APPS if app.region == region)


class LocalAmazon:
    """The dials, the consent and the token endpoint of a running local Amazon."""

    def __init__(self, http: httpx.Client, urls: dict[str, str]) -> None:
        self.http = http
        self.urls = urls
        self.check: Check | None = None  # looks at every SP-API answer

    def dial(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """The JSON of a dial's answer; RuntimeError with its text when it was refused."""
        answer = self.http.request(method, self.urls["dials"] + path, json=body, params=query)
        if answer.is_error:
            raise RuntimeError(f"{answer.status_code} {answer.text}")
        return answer.json()

    def settings(self, **changes: object) -> None:
        self.dial("PUT", "/sandbox/settings", changes)

    def advance(self, seconds: float) -> None:
        self.dial("POST", "/sandbox/clock", {"advance_s": seconds})

    def create_seller(self, selling_partner_id: str, region: RegionCode, *marketplace_ids: str) -> None:
        self.dial(
            "POST",
            "/sandbox/sellers",
            {
                "selling_partner_id": selling_partner_id,
                "region": region,
                "name": f"Shop {selling_partner_id}",
                "marketplaces": list(marketplace_ids),
            },
        )

    def consent_page(self, **parameters: str) -> httpx.Response:
        return self.http.get(self.urls["consent"] + "/apps/authorize/consent", params=parameters)

    def authorization_code(
        self, selling_partner_id: str, region: RegionCode, state: str = "a-state", **parameters: str
    ) -> str:
        """The code of a seller who confirms on the consent page; `parameters` are more of its query."""
        form = {
            "application_id": app_of(region).application_id,
            "redirect_uri": REDIRECT_URI,
            "state": state,
            "selling_partner_id": selling_partner_id,
            **parameters,
        }
        answer = self.http.post(self.urls["consent"] + "/apps/authorize/consent", data=form)
        assert answer.status_code == 302, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)["spapi_oauth_code"][0]

    def token(self, region: RegionCode = "NA", **parameters: str) -> httpx.Response:
        app = app_of(region)
        form = {"client_id": app.client_id, "client_secret": app.client_secret, **parameters}
        return self.http.post(self.urls["lwa"] + "/auth/o2/token", data=form)

    def app_settings(self, region: RegionCode = "NA", **changes: object) -> Any:
        """Changes what the developer of the region's app has registered."""
        return self.dial("PUT", f"/sandbox/apps/{app_of(region).application_id}", changes)

    def grantless(self, scope: str = NOTIFICATIONS_SCOPE, region: RegionCode = "NA") -> "SellingPartner":
        """The SP-API as the app itself calls it, for no seller."""
        tokens = self.token(region, grant_type="client_credentials", scope=scope).json()
        return SellingPartner(self, "", region, tokens["access_token"], "")

    def connect(self, selling_partner_id: str, region: RegionCode) -> "SellingPartner":
        """The whole authorisation of a seller that exists."""
        code = self.authorization_code(selling_partner_id, region)
        tokens = self.token(region, grant_type="authorization_code", code=code).json()
        return SellingPartner(self, selling_partner_id, region, tokens["access_token"], tokens["refresh_token"])


class SellingPartner:
    """The SP-API as one authorised seller calls it."""

    def __init__(
        self, amazon: LocalAmazon, selling_partner_id: str, region: RegionCode, access_token: str, refresh_token: str
    ) -> None:
        self.amazon = amazon
        self.selling_partner_id = selling_partner_id
        self.region = region
        self.access_token = access_token
        self.refresh_token = refresh_token

    def call(self, method: str, path: str, body: object = None, **query: str) -> httpx.Response:
        answer = self.amazon.http.request(
            method,
            self.amazon.urls[self.region.lower()] + path,
            json=body,
            params=query,
            headers={"x-amz-access-token": self.access_token},
        )
        if self.amazon.check is not None:
            self.amazon.check(answer)
        return answer

    def with_token(self, access_token: str) -> "SellingPartner":
        """The same seller with another token: a Restricted Data Token, or one of after a renewal."""
        return SellingPartner(self.amazon, self.selling_partner_id, self.region, access_token, self.refresh_token)

    def restricted(self, path: str, *data_elements: str) -> "SellingPartner":
        """The same seller with a Restricted Data Token for one path."""
        resource: dict[str, object] = {"method": "GET", "path": path}
        if data_elements:
            resource["dataElements"] = list(data_elements)
        body = {"restrictedResources": [resource]}
        answer = self.call("POST", "/tokens/2021-03-01/restrictedDataToken", body)
        assert answer.status_code == 200, answer.text
        return self.with_token(answer.json()["restrictedDataToken"])

    def participations(self) -> httpx.Response:
        return self.call("GET", "/sellers/v1/marketplaceParticipations")

    def listings_item(self, method: str, sku: str, body: object = None, **query: str) -> httpx.Response:
        """`sku` as it is: it is percent-encoded in full here (FACTS 5.1.1)."""
        path = f"/listings/2021-08-01/items/{self.selling_partner_id}/{quote(sku, safe='')}"
        return self.call(method, path, body, **query)

    def search_listings(self, **query: str) -> httpx.Response:
        return self.call("GET", f"/listings/2021-08-01/items/{self.selling_partner_id}", **query)

    def search_orders(self, **query: str) -> httpx.Response:
        return self.call("GET", "/orders/2026-01-01/orders", **query)

    def order(self, order_id: str, **query: str) -> httpx.Response:
        return self.call("GET", f"/orders/2026-01-01/orders/{order_id}", **query)

    def confirm_shipment(self, order_id: str, body: object) -> httpx.Response:
        return self.call("POST", f"/orders/v0/orders/{order_id}/shipmentConfirmation", body)

    def update_shipment_status(self, order_id: str, body: object) -> httpx.Response:
        return self.call("POST", f"/orders/v0/orders/{order_id}/shipment", body)

    def feeds(self, method: str, path: str = "feeds", body: object = None, **query: str) -> httpx.Response:
        return self.call(method, f"/feeds/2021-06-30/{path}", body, **query)

    def reports(self, method: str, path: str = "reports", body: object = None, **query: str) -> httpx.Response:
        return self.call(method, f"/reports/2021-06-30/{path}", body, **query)

    def upload(self, content: bytes, content_type: str = "application/json; charset=UTF-8") -> str:
        """The id of a new feed document with this content."""
        created = self.feeds("POST", "documents", {"contentType": content_type}).json()
        uploaded = self.amazon.http.put(created["url"], content=content, headers={"content-type": content_type})
        assert uploaded.status_code == 200, uploaded.text
        document_id: str = created["feedDocumentId"]
        return document_id

    def submit_feed(self, feed_type: str, content: bytes, *marketplace_ids: str) -> str:
        """The id of a new feed."""
        specification = {
            "feedType": feed_type,
            "marketplaceIds": marketplace_ids,
            "inputFeedDocumentId": self.upload(content),
        }
        answer = self.feeds("POST", body=specification)
        assert answer.status_code == 202, answer.text
        feed_id: str = answer.json()["feedId"]
        return feed_id

    def feed(self, feed_id: str) -> dict[str, Any]:
        """The model's `Feed`."""
        document: dict[str, Any] = self.feeds("GET", f"feeds/{feed_id}").json()
        return document

    def feed_result(self, feed_id: str) -> bytes:
        """The processing report of a feed that is over, unpacked."""
        found = self.feeds("GET", f"documents/{self.feed(feed_id)['resultFeedDocumentId']}")
        return self.download(found.json())

    def processing_report(self, content: bytes, *marketplace_ids: str) -> dict[str, Any]:
        """Submits a JSON listings feed of this content; what its processing report says."""
        report: dict[str, Any] = json.loads(
            self.feed_result(self.submit_feed("JSON_LISTINGS_FEED", content, *marketplace_ids))
        )
        return report

    def request_report(self, report_type: str, *marketplace_ids: str, **fields: object) -> dict[str, Any]:
        """The new report as it is now: at once DONE when nothing is delayed."""
        wish = {"reportType": report_type, "marketplaceIds": marketplace_ids, **fields}
        answer = self.reports("POST", body=wish)
        assert answer.status_code == 202, answer.text
        report: dict[str, Any] = self.reports("GET", f"reports/{answer.json()['reportId']}").json()
        return report

    def report_content(self, report: dict[str, Any]) -> bytes:
        """The content of a report that is DONE, unpacked."""
        return self.download(self.reports("GET", f"documents/{report['reportDocumentId']}").json())

    def download(self, document: dict[str, Any]) -> bytes:
        """What is behind the url of a `FeedDocument` or `ReportDocument`."""
        answer = self.amazon.http.get(document["url"])
        assert answer.status_code == 200, answer.text
        return gzip.decompress(answer.content) if document.get("compressionAlgorithm") == "GZIP" else answer.content


def offer(price: float, currency: str = "USD", **fields: Any) -> dict[str, Any]:
    """An instance of `purchasable_offer`."""
    return {"currency": currency, "our_price": [{"schedule": [{"value_with_tax": price}]}], **fields}


def offer_attributes(price: float = 20, quantity: int = 3, **fields: Any) -> dict[str, Any]:
    """The attributes of an offer on an ASIN that exists; the store is the one of the call or feed."""
    return {
        "merchant_suggested_asin": [{"value": "B000000001"}],
        "condition_type": [{"value": "new_new"}],
        "purchasable_offer": [offer(price)],
        "fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": quantity}],
        **fields,
    }


def update_message(message_id: int, sku: str, **fields: Any) -> dict[str, Any]:
    """A message of a JSON listings feed that puts an offer."""
    message = {"messageId": message_id, "sku": sku, "operationType": "UPDATE", "productType": "PRODUCT"}
    return {**message, "attributes": offer_attributes(), **fields}


def listings_feed(*messages: Any, seller_id: str = "A1US", **header: Any) -> bytes:
    """The content of a JSON listings feed."""
    return json.dumps({"header": {"sellerId": seller_id, "version": "2.0", **header}, "messages": messages}).encode()
