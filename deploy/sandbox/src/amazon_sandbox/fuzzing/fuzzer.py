"""The fuzzer itself: its world, what it asks next, and what it makes of the answers."""

import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import httpx

from amazon_sandbox.fuzzing import dials, feeds, models, pages, queues
from amazon_sandbox.fuzzing.known import OTHER_SELLER, SELLER, SKUS, US, Asked, Known
from amazon_sandbox.notifications.types import NOTIFICATION_TYPES
from amazon_sandbox.testing import REDIRECT_URI, LocalAmazon, SellingPartner

_POLICY = '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sqs:*"}]}'
_FILTERS: dict[str, dict[str, Any]] = {
    "ORDER_CHANGE": {"orderChangeTypes": ["OrderStatusChange"]},
    "ANY_OFFER_CHANGED": {"marketplaceIds": [US]},
}
_RENEWED_EVERY = 200
_MOST_ORDERS = 40


class Finding(NamedTuple):
    """A request that was answered with a 500, or not at all; or a feed or report that broke (status 0)."""

    method: str
    target: str
    body: str
    status: int


class Fuzzer:
    def __init__(self, folder: Path, amazon: LocalAmazon, seed: int) -> None:
        """Empties the world of `amazon` and fills it with sellers to ask about."""
        self.operations = models.read(folder)
        self.findings: list[Finding] = []
        self.statuses: dict[str, Counter[int]] = defaultdict(Counter)
        self._known = Known(seed)
        self._random = self._known.random
        self._amazon = amazon
        self._submitted: dict[str, bytes] = {}  # the feeds that were sent whole, with their documents
        amazon.dial("DELETE", "/sandbox/world")
        known_dials = [dial["dial"] for dial in amazon.dial("GET", "/sandbox")["dials"]]
        self._dials = [dial for dial in known_dials for _ in range(1 if dial.startswith(("GET", "DELETE")) else 4)]
        for seller_id in (SELLER, OTHER_SELLER):
            amazon.create_seller(seller_id, "NA", US)
        wish = {"selling_partner_id": SELLER, "marketplace_id": US}
        listings = [{"sku": sku, "price": 9.5, "quantity": 5} for sku in SKUS if sku]
        amazon.dial("POST", "/sandbox/listings", {**wish, "listings": listings})
        self._place_orders()
        self._renew()
        self._subscribe()

    def run(self, *, requests: int | None = None, seconds: float | None = None) -> None:
        """Asks so many times, or so long."""
        ends = time.monotonic() + seconds if seconds is not None else None
        done = 0
        while (requests is None or done < requests) and (ends is None or time.monotonic() < ends):
            self._ask_something()
            done += 1
            if done % _RENEWED_EVERY == 0:
                self._amazon.advance(130)  # what was accepted shows, and tokens grow old
                self._look_for_broken_jobs()
                self._place_orders()
                self._renew()
        self._look_for_broken_jobs()

    def _ask_something(self) -> None:
        known, kind = self._known, self._random.random()
        if kind < 0.7:
            self._call(self._random.choice(self.operations))
        elif kind < 0.8:
            asked = dials.turn(known, self._random.choice(self._dials))
            if asked is not None:
                self._send(asked)
        elif kind < 0.86:
            self._send(queues.request(known))
        elif kind < 0.9:
            self._send(pages.page(known))
        elif kind < 0.93:
            self._send(pages.token(known, self._partner.refresh_token))
        elif kind < 0.98:
            self._submit_a_feed()
        else:
            self._carry_a_document()

    def _renew(self) -> None:
        """Takes back what dials did to the run itself: faults, settings, jobs that stick; and fresh tokens."""
        amazon = self._amazon
        amazon.dial("DELETE", "/sandbox/faults")
        amazon.dial("DELETE", "/sandbox/feeds/next")
        amazon.settings(
            **dict.fromkeys(("search_lag_s", "feed_queue_s", "feed_processing_s"), 0),
            **dict.fromkeys(("report_queue_s", "report_processing_s", "report_cooldown_s"), 0),
            quotas={"enabled": False},
            auto_consent=False,
            redirect_uris=[REDIRECT_URI],
        )
        for kind in ("feeds", "reports"):
            for job in self._jobs(kind):
                if job["stuck"] and "processingEndTime" not in job:
                    amazon.dial("POST", f"/sandbox/{kind}/{job['feedId' if kind == 'feeds' else 'reportId']}/release")
        self._partner: SellingPartner = amazon.connect(SELLER, "NA")
        self._grantless = amazon.grantless()

    def _place_orders(self) -> None:
        wish = {"selling_partner_id": SELLER, "marketplace_id": US}
        orders = [{"lines": [{"sku": "007", "quantity": 5, "unit_price": 5}] * 2}] * 10
        placed = self._amazon.dial("POST", "/sandbox/orders", {**wish, "orders": orders})["orders"]
        new = {one["amazon_order_id"]: one["order_item_ids"] for one in placed}
        self._known.items = dict([*self._known.items.items(), *new.items()][-_MOST_ORDERS:])
        for order_id in new:
            self._known.note("orderId", order_id)

    def _subscribe(self) -> None:
        """A queue that notifications arrive on, those with a filter too, and an event bus."""
        url = self._amazon.urls["lwa"]
        headers = {"x-amz-target": "AmazonSQS.CreateQueue"}
        queue = {"QueueName": "fuzz", "Attributes": {"Policy": _POLICY}}
        self._amazon.http.post(url, json=queue, headers=headers).raise_for_status()
        queue_id = self._destination({"sqs": {"arn": "arn:aws:sqs:us-east-1:000000000000:fuzz"}})["destinationId"]
        bus = self._destination({"eventBridge": {"region": "us-east-1", "accountId": "123456789012"}})
        self._known.note("event_source", bus["resource"]["eventBridge"]["name"])
        self._subscribe_to("LISTINGS_ITEM_STATUS_CHANGE", {"destinationId": bus["destinationId"]})
        for kind, wanted in _FILTERS.items():
            directive = {"eventFilter": {"eventFilterType": kind, **wanted}}
            self._subscribe_to(kind, {"destinationId": queue_id, "processingDirective": directive})

    def _destination(self, resource: dict[str, Any]) -> dict[str, Any]:
        body = {"name": "fuzz", "resourceSpecification": resource}
        made = self._grantless.call("POST", "/notifications/v1/destinations", body).raise_for_status()
        destination: dict[str, Any] = made.json()["payload"]
        return destination

    def _subscribe_to(self, kind: str, wish: dict[str, Any]) -> None:
        body = {"payloadVersion": NOTIFICATION_TYPES[kind].payload_versions[-1], **wish}
        self._partner.call("POST", f"/notifications/v1/subscriptions/{kind}", body).raise_for_status()

    def _call(self, operation: models.FuzzedOperation) -> None:
        caller = self._partner if operation.scope is None else self._grantless
        others = ("Atza|nobody", self._partner.access_token, self._known.one("restrictedDataToken"))
        tokens = (caller.access_token,) * 40 + others
        types = ("application/json",) * 40 + ("text/plain", "application/json;charset=utf-8", "")
        headers = {"x-amz-access-token": self._random.choice(tokens), "content-type": self._random.choice(types)}
        self._send(models.call(self._known, operation)._replace(headers=headers))

    def _submit_a_feed(self) -> None:
        """The whole way of a feed, so that its document is read."""
        feed_type = self._random.choice(feeds.TYPES)
        created = self._partner.feeds("POST", "documents", {"contentType": "text/xml"})
        if created.status_code != 201:  # the token has grown old
            return
        url, document_id = created.json()["url"], created.json()["feedDocumentId"]
        content = feeds.document(self._known, feed_type)
        self._send(Asked("document", "PUT", "", url, content, {"content-type": "text/xml"}))
        specification = {"feedType": feed_type, "marketplaceIds": [US], "inputFeedDocumentId": document_id}
        submitted = self._partner.feeds("POST", body=specification)
        if submitted.status_code == 202:
            self._submitted[submitted.json()["feedId"]] = content

    def _carry_a_document(self) -> None:
        if self._known.seen["url"]:
            target = self._random.choice(self._known.seen["url"])
            method = self._random.choice(("PUT", "PUT", "GET", "DELETE"))
            body = feeds.document(self._known, self._random.choice(feeds.TYPES))
            self._send(Asked("document", method, "", target, body, {"content-type": "application/json"}))

    def _jobs(self, kind: str) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self._amazon.dial("GET", f"/sandbox/books/{kind}", selling_partner_id=SELLER)[kind]
        return jobs

    def _look_for_broken_jobs(self) -> None:
        """A job that breaks hurts nobody else and shows in its end alone: FATAL, without a report that says why."""
        for job in [*self._jobs("feeds"), *self._jobs("reports")]:
            job_id = job.get("feedId") or job["reportId"]
            self._known.note("jobId", job_id)
            content = self._submitted.pop(job_id, b"")
            is_ours = content or "reportId" in job
            if is_ours and job["processingStatus"] == "FATAL" and "resultFeedDocumentId" not in job:
                self.findings.append(Finding(job["type"], job_id, content.decode("utf-8", "replace")[:2000], 0))

    def _send(self, asked: Asked) -> None:
        origin = self._amazon.urls[asked.base] if asked.base else ""
        try:
            answer = self._amazon.http.request(
                asked.method, origin + asked.target, content=asked.body, headers=asked.headers
            )
            status = answer.status_code
            self._remember(answer)
        except httpx.TransportError:
            status = 0
        except (httpx.InvalidURL, UnicodeError):
            return  # httpx does not let it out
        self.statuses[asked.name][status] += 1
        if status == 0 or status >= 500:
            body = (asked.body or b"").decode("utf-8", "replace")[:2000]
            self.findings.append(Finding(asked.method, asked.target, body, status))

    def _remember(self, answer: httpx.Response) -> None:
        for name, value in parse_qsl(urlsplit(answer.headers.get("location", "")).query):
            self._known.note(name, value)
        if answer.is_success:
            try:
                self._known.remember(answer.json())
            except ValueError:
                return
