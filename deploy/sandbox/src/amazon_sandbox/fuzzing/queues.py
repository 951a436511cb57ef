"""Requests to SQS in both of its protocols."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from amazon_sandbox.fuzzing.known import Asked, Known
from amazon_sandbox.fuzzing.rubbish import NUMBERS, RUBBISH, as_text, broken, cut, json_of
from amazon_sandbox.sqs.actions import ACTIONS

_MEMBERS = {
    "AttributeNames": "AttributeName",
    "MessageAttributeNames": "MessageAttributeName",
    "MessageSystemAttributeNames": "MessageSystemAttributeName",
}
_REDRIVE = '{"maxReceiveCount": %s, "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}'
_FORM = {"content-type": "application/x-www-form-urlencoded"}


def request(known: Known) -> Asked:
    action = known.random.choice(list(ACTIONS))
    parameters = _parameters(known)
    if known.random.random() < 0.5:
        headers = {"x-amz-target": f"AmazonSQS.{action}", "content-type": "application/x-amz-json-1.0"}
        return Asked(f"SQS {action}", "POST", "lwa", "/", json_of(known.random, parameters), headers)
    path = urlsplit(str(parameters["QueueUrl"])).path if known.random.random() < 0.5 else "/"
    for _ in range(known.random.choice((0, 0, 1, 2))):
        parameters = broken(known.random, parameters)
    form = {"Action": action, **(_flat(parameters, action) if isinstance(parameters, dict) else {})}
    if known.random.random() < 0.2:  # names that lead into what is no list, or too deep
        name = known.random.choice(list(form))
        text = as_text(known.random.choice(RUBBISH))
        if known.random.random() < 0.5:
            text = form.pop(name)
        form[name + known.random.choice((".x", ".1", ".1.Name", "."))] = text
    body = urlencode(form).encode()
    content = cut(known.random, body) if known.random.random() < 0.05 else body
    return Asked(f"SQS query {action}", "POST", "lwa", path or "/", content, _FORM)


def _parameters(known: Known) -> dict[str, Any]:
    """All that any action takes: each looks at its own, and some are left out."""
    handle = known.one("ReceiptHandle", "a.b")
    entry = {"Id": "1", "MessageBody": "x", "ReceiptHandle": handle, "VisibilityTimeout": 0, "DelaySeconds": 0}
    attributes = {
        "VisibilityTimeout": known.random.choice(("0", "30")),
        "RedrivePolicy": _REDRIVE % known.random.choice(("2", *NUMBERS)),
        "Policy": '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sqs:*"}]}',
        "FifoQueue": "true",
    }
    everything: dict[str, Any] = {
        "QueueName": known.random.choice(("fuzz", "dead", "fuzz.fifo")),
        "QueueNamePrefix": "f",
        "Attributes": {name: value for name, value in attributes.items() if known.random.random() < 0.3},
        "AttributeNames": ["All"],
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["SentTimestamp"],
        "MessageBody": "x",
        "MessageGroupId": "g",
        "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}},
        "Entries": [entry, {**entry, "Id": "2"}],
        "ReceiptHandle": handle,
        "VisibilityTimeout": 0,
        "WaitTimeSeconds": 0,
        "MaxNumberOfMessages": known.random.randint(1, 10),
    }
    kept = {name: value for name, value in everything.items() if known.random.random() < 0.8}
    return {**kept, "QueueUrl": known.one("QueueUrl", "http://localhost/000000000000/fuzz")}


def _flat(parameters: dict[str, Any], action: str) -> dict[str, str]:
    """As the query protocol writes lists and maps."""
    form: dict[str, str] = {}
    for name, value in parameters.items():
        if name == "Attributes" and isinstance(value, dict):
            for number, (key, text) in enumerate(value.items(), start=1):
                form |= {f"Attribute.{number}.Name": as_text(key), f"Attribute.{number}.Value": as_text(text)}
        elif name == "Entries" and isinstance(value, list):
            for number, entry in enumerate(value, start=1):
                fields = entry if isinstance(entry, dict) else {"": entry}
                form |= {f"{action}RequestEntry.{number}.{key}": as_text(part) for key, part in fields.items()}
        elif isinstance(value, list):
            form |= {f"{_MEMBERS.get(name, name)}.{number}": as_text(one) for number, one in enumerate(value, start=1)}
        else:
            form[as_text(name)] = as_text(value)
    return form
