"""What each SQS action does. Parameters and results are those of the AWS JSON protocol; times are the sandbox's."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from amazon_sandbox.clock import SECOND_MS
from amazon_sandbox.sqs.queues import ACCOUNT_ID, DEFAULTS, Message, Queue
from amazon_sandbox.world import World

Parameters = dict[str, Any]
Result = dict[str, Any]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_RANGES = {
    "VisibilityTimeout": (0, 43_200),
    "MessageRetentionPeriod": (60, 1_209_600),
    "MaximumMessageSize": (1024, 1_048_576),
    "DelaySeconds": (0, 900),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_DOCUMENTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")
_OTHERS = (
    "KmsMasterKeyId",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
)
_MOST_IN_BATCH = 10


class SqsError(Exception):
    """`name` is the error's shape in the JSON protocol, `code` its code in the older query protocol."""

    def __init__(self, name: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.code = code or name


class Sqs(NamedTuple):
    """One request: the world, the region of its signature, and the base of the queue URLs it sees."""

    world: World
    region: str
    base_url: str

    def url_of(self, queue: Queue) -> str:
        return f"{self.base_url}/{ACCOUNT_ID}/{queue.name}"

    def queue(self, parameters: Parameters) -> Queue:
        """The queue of `QueueUrl`. Raises SqsError."""
        name = _text(parameters, "QueueUrl").rstrip("/").rpartition("/")[2]
        return self.named(name)

    def named(self, name: str) -> Queue:
        queue = self.world.queues.find(self.region, name)
        if queue is None:
            message = "The specified queue does not exist."
            raise SqsError("QueueDoesNotExist", message, "AWS.SimpleQueueService.NonExistentQueue")
        return queue


def create_queue(sqs: Sqs, parameters: Parameters) -> Result:
    """The same name with the same attributes is the same queue."""
    name, attributes = _text(parameters, "QueueName"), _attributes(parameters)
    if not _NAME.fullmatch(name):
        raise SqsError("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores.")
    if name.endswith(".fifo") is not (attributes.get("FifoQueue") == "true"):
        raise SqsError("InvalidParameterValue", "A FIFO queue's name ends in .fifo and it has FifoQueue true.")
    queue = sqs.world.queues.find(sqs.region, name)
    if queue is None:
        queue = sqs.world.queues.create(sqs.region, name, attributes, sqs.world.clock.now_ms())
    elif any(value != queue.attributes.get(key, DEFAULTS.get(key)) for key, value in attributes.items()):
        raise SqsError("QueueNameExists", "A queue exists with this name and other attributes.", "QueueAlreadyExists")
    return {"QueueUrl": sqs.url_of(queue)}


def get_queue_url(sqs: Sqs, parameters: Parameters) -> Result:
    return {"QueueUrl": sqs.url_of(sqs.named(_text(parameters, "QueueName")))}


def list_queues(sqs: Sqs, parameters: Parameters) -> Result:
    prefix = str(parameters.get("QueueNamePrefix", ""))
    queues = sqs.world.queues.by_arn.values()
    found = [one for one in queues if one.region == sqs.region and one.name.startswith(prefix)]
    return {"QueueUrls": [sqs.url_of(one) for one in found]} if found else {}


def delete_queue(sqs: Sqs, parameters: Parameters) -> Result:
    del sqs.world.queues.by_arn[sqs.queue(parameters).arn]
    return {}


def purge_queue(sqs: Sqs, parameters: Parameters) -> Result:
    sqs.queue(parameters).messages.clear()
    return {}


def get_queue_attributes(sqs: Sqs, parameters: Parameters) -> Result:
    queue, now_ms = sqs.queue(parameters), sqs.world.clock.now_ms()
    messages = list(queue.messages.values())
    waiting = [one for one in messages if one.visible_ms > now_ms]
    everything = {
        **DEFAULTS,
        **queue.attributes,
        "QueueArn": queue.arn,
        "CreatedTimestamp": str(queue.created_ms // SECOND_MS),
        "LastModifiedTimestamp": str(queue.modified_ms // SECOND_MS),
        "ApproximateNumberOfMessages": str(len(messages) - len(waiting)),
        "ApproximateNumberOfMessagesNotVisible": str(sum(one.receive_count > 0 for one in waiting)),
        "ApproximateNumberOfMessagesDelayed": str(sum(one.receive_count == 0 for one in waiting)),
    }
    names = _names(parameters, "AttributeNames")
    wanted = everything if "All" in names else [name for name in names if name in everything]
    return {"Attributes": {name: everything[name] for name in wanted}} if wanted else {}


def set_queue_attributes(sqs: Sqs, parameters: Parameters) -> Result:
    """An attribute set to the empty string is gone, a policy above all."""
    queue, attributes = sqs.queue(parameters), _attributes(parameters)
    merged = {**queue.attributes, **attributes}
    queue.attributes = {name: value for name, value in merged.items() if value != ""}
    queue.modified_ms = sqs.world.clock.now_ms()
    return {}


def send_message(sqs: Sqs, parameters: Parameters) -> Result:
    queue = sqs.queue(parameters)
    body = _text(parameters, "MessageBody")
    if len(body.encode()) > queue.setting("MaximumMessageSize"):
        raise SqsError("InvalidParameterValue", "One or more parameters are invalid: the message is too long.")
    if queue.is_fifo and not parameters.get("MessageGroupId"):
        raise SqsError("MissingParameter", "The request must contain the parameter MessageGroupId.")
    delay_s = _number(parameters, "DelaySeconds", queue.setting("DelaySeconds"), 0, 900)
    attributes = parameters.get("MessageAttributes")
    message = sqs.world.queues.send(
        queue,
        body,
        sqs.world.clock.now_ms(),
        delay_s * SECOND_MS,
        attributes if isinstance(attributes, dict) else None,
    )
    return {"MessageId": message.message_id, "MD5OfMessageBody": _md5(body)}


def receive_message(sqs: Sqs, parameters: Parameters) -> Result:
    """Whatever is visible now; waiting for more is the endpoint's business."""
    queue = sqs.queue(parameters)
    most = _number(parameters, "MaxNumberOfMessages", 1, 1, 10)
    visibility_s = _number(parameters, "VisibilityTimeout", queue.setting("VisibilityTimeout"), 0, 43_200)
    names = [*_names(parameters, "AttributeNames"), *_names(parameters, "MessageSystemAttributeNames")]
    own_names = _names(parameters, "MessageAttributeNames")
    messages = sqs.world.queues.receive(queue, most, visibility_s, sqs.world.clock.now_ms())
    return {"Messages": [_message(one, names, own_names) for one in messages]} if messages else {}


def wait_seconds(sqs: Sqs, parameters: Parameters) -> int:
    """How long a receive waits for a first message. Raises SqsError."""
    default = sqs.queue(parameters).setting("ReceiveMessageWaitTimeSeconds")
    return _number(parameters, "WaitTimeSeconds", default, 0, 20)


def delete_message(sqs: Sqs, parameters: Parameters) -> Result:
    """Deleting what is gone already is answered like success."""
    queue, handle = sqs.queue(parameters), _handle(parameters)
    message = sqs.world.queues.held_by(queue, handle)
    if message is not None and message.receipt_handle == handle:
        del queue.messages[message.message_id]
    return {}


def change_message_visibility(sqs: Sqs, parameters: Parameters) -> Result:
    queue, handle = sqs.queue(parameters), _handle(parameters)
    seconds = _number(parameters, "VisibilityTimeout", -1, 0, 43_200)
    message, now_ms = sqs.world.queues.held_by(queue, handle), sqs.world.clock.now_ms()
    if message is None or message.receipt_handle != handle or message.visible_ms <= now_ms:
        raise SqsError(
            "MessageNotInflight", "The message is not in flight.", "AWS.SimpleQueueService.MessageNotInflight"
        )
    message.visible_ms = now_ms + seconds * SECOND_MS
    return {}


def _batch(one: Callable[[Sqs, Parameters], Result]) -> Callable[[Sqs, Parameters], Result]:
    """The batch form of an action: each entry succeeds or fails by itself."""

    def action(sqs: Sqs, parameters: Parameters) -> Result:
        sqs.queue(parameters)
        successful, failed = [], []
        for entry in _entries(parameters):
            try:
                result = one(sqs, {**entry, "QueueUrl": parameters["QueueUrl"]})
                successful.append({"Id": entry["Id"], **result})
            except SqsError as error:
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": error.code, "Message": error.message})
        return {"Successful": successful, "Failed": failed}

    return action


def _entries(parameters: Parameters) -> list[Parameters]:
    entries = parameters.get("Entries")
    if not isinstance(entries, list) or not entries:
        raise SqsError("EmptyBatchRequest", "There is no entry.", "AWS.SimpleQueueService.EmptyBatchRequest")
    if len(entries) > _MOST_IN_BATCH:
        code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
        raise SqsError("TooManyEntriesInBatchRequest", f"Maximum number of entries is {_MOST_IN_BATCH}.", code)
    if not all(isinstance(one, dict) and isinstance(one.get("Id"), str) for one in entries):
        raise SqsError("MissingParameter", "Each entry has an Id.")
    if len({one["Id"] for one in entries}) < len(entries):
        code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
        raise SqsError("BatchEntryIdsNotDistinct", "Two entries have the same Id.", code)
    return entries


ACTIONS: dict[str, Callable[[Sqs, Parameters], Result]] = {
    "CreateQueue": create_queue,
    "GetQueueUrl": get_queue_url,
    "ListQueues": list_queues,
    "DeleteQueue": delete_queue,
    "PurgeQueue": purge_queue,
    "GetQueueAttributes": get_queue_attributes,
    "SetQueueAttributes": set_queue_attributes,
    "SendMessage": send_message,
    "SendMessageBatch": _batch(send_message),
    "ReceiveMessage": receive_message,
    "DeleteMessage": delete_message,
    "DeleteMessageBatch": _batch(delete_message),
    "ChangeMessageVisibility": change_message_visibility,
    "ChangeMessageVisibilityBatch": _batch(change_message_visibility),
}


def _message(message: Message, names: list[str], own_names: list[str]) -> Result:
    system = {
        "SenderId": ACCOUNT_ID,
        "SentTimestamp": str(message.sent_ms),
        "ApproximateReceiveCount": str(message.receive_count),
        "ApproximateFirstReceiveTimestamp": str(message.first_received_ms),
    }
    shown: Result = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
    }
    wanted = {name: value for name, value in system.items() if "All" in names or name in names}
    if wanted:
        shown["Attributes"] = wanted
    own = {name: value for name, value in message.attributes.items() if "All" in own_names or name in own_names}
    if own:
        shown["MessageAttributes"] = own
    return shown


def _names(parameters: Parameters, name: str) -> list[str]:
    names = parameters.get(name) or []
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise SqsError("InvalidParameterValue", f"{name} is a list of names.")
    return names


def _attributes(parameters: Parameters) -> dict[str, str]:
    """`Attributes`, checked. Raises SqsError."""
    attributes = parameters.get("Attributes", {})
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise SqsError("InvalidParameterValue", "Attributes is a map of strings.")
    for name, value in attributes.items():
        if name in _RANGES:
            lowest, highest = _RANGES[name]
            if not (value.isascii() and value.isdigit() and lowest <= int(value[:9]) <= highest and len(value) < 9):
                raise SqsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
        elif name in _DOCUMENTS:
            _refuse_document(name, value)
        elif name not in _OTHERS:
            raise SqsError("InvalidAttributeName", f"Unknown Attribute {name}.")
    return attributes


def _refuse_document(name: str, value: str) -> None:
    if value == "":
        return
    try:
        document = json.loads(value)
        if name == "RedrivePolicy":
            fits = int(document["maxReceiveCount"]) >= 1 and isinstance(document["deadLetterTargetArn"], str)
        else:
            fits = isinstance(document, dict)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        fits = False
    if not fits:
        raise SqsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def _text(parameters: Parameters, name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise SqsError("MissingParameter", f"The request must contain the parameter {name}.")
    return value


def _handle(parameters: Parameters) -> str:
    handle = _text(parameters, "ReceiptHandle")
    if "." not in handle:
        raise SqsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    return handle


def _number(parameters: Parameters, name: str, default: int, lowest: int, highest: int) -> int:
    value = parameters.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)  # the query protocol knows text only
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise SqsError("InvalidParameterValue", f"Value for parameter {name} is invalid: {lowest} to {highest}.")
    return value


def _md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
