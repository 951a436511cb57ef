"""A queue that Amazon's notifications arrive on, for tests of what subscribes to them."""

import json
from typing import Any

from amazon_sandbox.notifications.types import NOTIFICATION_TYPES
from amazon_sandbox.testing import LocalAmazon, SellingPartner

DESTINATIONS = "/notifications/v1/destinations"
SUBSCRIPTIONS = "/notifications/v1/subscriptions"
NOTIFIER = "437568002678"
EVENT_BRIDGE = {"region": "us-east-1", "accountId": "123456789012"}


def policy(*actions: str, principal: str = NOTIFIER, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Principal": {"AWS": principal}, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


OPEN = policy("SQS:SendMessage", "SQS:GetQueueAttributes")


class Desk:
    """A queue with its destination, and hands to read what arrives."""

    def __init__(self, amazon: LocalAmazon, sqs: Any) -> None:
        self.amazon = amazon
        self.sqs = sqs
        self.app = amazon.grantless()
        self.url, self.arn = self.queue("notifications", Policy=OPEN)

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, shown["Attributes"]["QueueArn"]

    def destination(self, **resource: Any) -> Any:
        body = {"name": "ours", "resourceSpecification": resource or {"sqs": {"arn": self.arn}}}
        answer = self.app.call("POST", DESTINATIONS, body)
        assert answer.status_code == 200, answer.text
        return answer.json()["payload"]

    def event_bridge(self) -> str:
        """A destination on EventBridge whose events a rule sends to the queue."""
        made = self.destination(eventBridge=EVENT_BRIDGE)
        rule = {"event_source": made["resource"]["eventBridge"]["name"], "queue_arn": self.arn}
        self.amazon.dial("POST", "/sandbox/event-rules", rule)
        destination_id: str = made["destinationId"]
        return destination_id

    def subscribe(self, seller: SellingPartner, kind: str, destination_id: str, **more: Any) -> Any:
        version = NOTIFICATION_TYPES[kind].payload_versions[-1]
        body = {"payloadVersion": version, "destinationId": destination_id, **more}
        answer = seller.call("POST", f"{SUBSCRIPTIONS}/{kind}", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["payload"]

    def arrived(self, url: str | None = None) -> list[Any]:
        answer = self.sqs.receive_message(QueueUrl=url or self.url, MaxNumberOfMessages=10)
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=url or self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def outcomes(self) -> dict[str, int]:
        outcomes: dict[str, int] = self.amazon.dial("GET", "/sandbox/books/notifications")["outcomes"]
        return outcomes
