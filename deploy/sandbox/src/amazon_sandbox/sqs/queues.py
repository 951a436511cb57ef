"""The state of an SQS-compatible service: queues by region and name, with their messages and policies."""

import json
import secrets
from typing import Any
from uuid import uuid4

import msgspec

from amazon_sandbox.clock import SECOND_MS

ACCOUNT_ID = "000000000000"
NOTIFIER_ACCOUNT_ID = "437568002678"  # FACTS 9.2: the account that Amazon sends notifications from
DEFAULTS = {
    "VisibilityTimeout": "30",
    "MessageRetentionPeriod": "345600",
    "MaximumMessageSize": "262144",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
}


class Message(msgspec.Struct):
    """`visible_ms` is when it can be received next: later than now while it is delayed or in flight."""

    message_id: str
    body: str
    sent_ms: int
    visible_ms: int
    attributes: dict[str, Any] = {}  # MessageAttributes, as the sender gave them
    receive_count: int = 0
    first_received_ms: int = 0
    receipt_handle: str = ""
    overtaken_by_next: bool = False


class Queue(msgspec.Struct):
    region: str
    name: str
    created_ms: int
    modified_ms: int
    attributes: dict[str, str] = {}
    messages: dict[str, Message] = {}  # by message id, oldest first

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:{self.region}:{ACCOUNT_ID}:{self.name}"

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(".fifo")

    def setting(self, name: str) -> int:
        return int(self.attributes.get(name, DEFAULTS[name]))

    def lets_amazon_send(self) -> bool:
        """Whether the policy allows Amazon's account SendMessage and GetQueueAttributes (FACTS 9.2)."""
        return all(self.allows(action) for action in ("SQS:SendMessage", "SQS:GetQueueAttributes"))

    def allows(self, action: str, account_id: str = NOTIFIER_ACCOUNT_ID) -> bool:
        try:
            policy = json.loads(self.attributes.get("Policy") or "{}")
            statements = _listed(policy.get("Statement"))
            fitting = [one for one in statements if _names(one.get("Action"), action) and _is_for(one, account_id)]
            return bool(fitting) and all(one.get("Effect") == "Allow" for one in fitting)
        except (ValueError, AttributeError):
            return False  # a policy that is none allows nothing


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _names(actions: Any, action: str) -> bool:
    """IAM compares actions without regard to case."""
    return any(str(one).lower() in ("*", "sqs:*", action.lower()) for one in _listed(actions))


def _is_for(statement: dict[str, Any], account_id: str) -> bool:
    principal = statement.get("Principal")
    named = _listed(principal.get("AWS")) if isinstance(principal, dict) else _listed(principal)
    return any(one in ("*", account_id, f"arn:aws:iam::{account_id}:root") for one in named)


class Queues:
    def __init__(self) -> None:
        self.by_arn: dict[str, Queue] = {}

    def create(self, region: str, name: str, attributes: dict[str, str], now_ms: int) -> Queue:
        queue = Queue(region, name, now_ms, now_ms, dict(attributes))
        self.by_arn[queue.arn] = queue
        return queue

    def find(self, region: str, name: str) -> Queue | None:
        return self.by_arn.get(f"arn:aws:sqs:{region}:{ACCOUNT_ID}:{name}")

    def send(
        self, queue: Queue, body: str, now_ms: int, delay_ms: int = 0, attributes: dict[str, Any] | None = None
    ) -> Message:
        message = Message(str(uuid4()), body, now_ms, now_ms + delay_ms, attributes or {})
        held = [one for one in queue.messages.values() if one.overtaken_by_next]
        queue.messages[message.message_id] = message
        for one in held:  # the message that was to be overtaken has been
            one.overtaken_by_next = False
            one.visible_ms = min(one.visible_ms, message.visible_ms)
            queue.messages[one.message_id] = queue.messages.pop(one.message_id)
        return message

    def receive(self, queue: Queue, most: int, visibility_s: int, now_ms: int) -> list[Message]:
        """At most `most` messages that are visible now; each is then in flight for `visibility_s`."""
        oldest_ms = now_ms - queue.setting("MessageRetentionPeriod") * SECOND_MS
        received: list[Message] = []
        for message in list(queue.messages.values()):
            if message.sent_ms < oldest_ms:
                del queue.messages[message.message_id]
            elif message.visible_ms <= now_ms and not self._set_aside(queue, message):
                message.receive_count += 1
                message.first_received_ms = message.first_received_ms or now_ms
                message.receipt_handle = f"{message.message_id}.{secrets.token_urlsafe(12)}"
                message.visible_ms = now_ms + visibility_s * SECOND_MS
                received.append(message)
                if len(received) == most:
                    break
        return received

    def _set_aside(self, queue: Queue, message: Message) -> bool:
        """Moves a message that was received too often to the dead-letter queue, if there is one."""
        if "RedrivePolicy" not in queue.attributes:
            return False
        policy = json.loads(queue.attributes["RedrivePolicy"])
        other = self.by_arn.get(policy["deadLetterTargetArn"])
        if other is None or other is queue or message.receive_count < int(policy["maxReceiveCount"]):
            return False
        other.messages[message.message_id] = queue.messages.pop(message.message_id)
        return True

    @staticmethod
    def held_by(queue: Queue, receipt_handle: str) -> Message | None:
        """The message of this receipt; a later receipt of the same message does as well."""
        return queue.messages.get(receipt_handle.partition(".")[0])
