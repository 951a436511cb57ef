"""The two ways AWS clients speak to SQS: AWS JSON 1.0, and the older query protocol with its XML answers."""

import re
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4
from xml.sax.saxutils import escape

from amazon_sandbox.sqs.actions import ACTIONS, SqsError
from amazon_sandbox.sqs.queues import ACCOUNT_ID
from amazon_sandbox.wire import Answer, decode, encode

_TARGET_PREFIX = "AmazonSQS."
_JSON = b"application/x-amz-json-1.0"
_XML = b"text/xml"
_NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"
_CREDENTIAL = re.compile(rb"Credential=[^/]+/[^/]+/([a-z0-9-]+)/")
_QUEUE_URLS = f"/{ACCOUNT_ID}/".encode()
_DEFAULT_REGION = "us-east-1"

# The query protocol numbers the members of a list under a name of their own.
_LISTS = {
    "AttributeName": "AttributeNames",
    "MessageSystemAttributeName": "MessageSystemAttributeNames",
    "MessageAttributeName": "MessageAttributeNames",
    "SendMessageBatchRequestEntry": "Entries",
    "DeleteMessageBatchRequestEntry": "Entries",
    "ChangeMessageVisibilityBatchRequestEntry": "Entries",
}
_MEMBERS = {"QueueUrls": "QueueUrl", "Messages": "Message", "Failed": "BatchResultErrorEntry"}


def is_for_sqs(raw_path: bytes) -> bool:
    """Whether a POST to this path is a client's of SQS: the endpoint itself, or a queue's URL."""
    return raw_path == b"/" or raw_path.startswith(_QUEUE_URLS)


def region_of(headers: dict[bytes, bytes]) -> str:
    """The region the request was signed for; nobody checks the signature itself."""
    match = _CREDENTIAL.search(headers.get(b"authorization", b""))
    return match[1].decode() if match else _DEFAULT_REGION


class Exchange:
    """One request of either protocol, and the form its answer has to take."""

    def __init__(self, headers: dict[bytes, bytes], raw_path: bytes, body: bytes) -> None:
        target = headers.get(b"x-amz-target", b"").decode("latin-1")
        self.is_json = target.startswith(_TARGET_PREFIX)
        self.action = target.removeprefix(_TARGET_PREFIX) if self.is_json else ""
        self._raw_path = raw_path
        self._body = body

    def parameters(self) -> dict[str, Any]:
        """Raises SqsError when the request cannot be read or asks for an action there is not."""
        parameters = self._json_parameters() if self.is_json else self._query_parameters()
        if self.action not in ACTIONS:
            raise SqsError("InvalidAction", f"The action {self.action} is not valid.")
        return parameters

    def answer(self, result: dict[str, Any]) -> Answer:
        if self.is_json:
            return Answer(200, encode(result), content_type=_JSON)
        content = f"<{self.action}Result>{_xml(self.action, result)}</{self.action}Result>" if result else ""
        metadata = f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata>"
        document = f'<{self.action}Response xmlns="{_NAMESPACE}">{content}{metadata}</{self.action}Response>'
        return Answer(200, document.encode(), content_type=_XML)

    def refusal(self, error: SqsError) -> Answer:
        if self.is_json:
            document = {"__type": f"com.amazonaws.sqs#{error.name}", "message": error.message}
            headers = ((b"x-amzn-query-error", f"{error.code};Sender".encode()),)
            return Answer(400, encode(document), content_type=_JSON, headers=headers)
        content = f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
        document_xml = (
            f'<ErrorResponse xmlns="{_NAMESPACE}"><Error>{content}</Error>'
            f"<RequestId>{uuid4()}</RequestId></ErrorResponse>"
        )
        return Answer(400, document_xml.encode(), content_type=_XML)

    def _json_parameters(self) -> dict[str, Any]:
        try:
            document = decode(self._body or b"{}")
        except ValueError as error:
            raise SqsError("SerializationException", str(error)) from error
        if not isinstance(document, dict):
            raise SqsError("SerializationException", "The body is not a JSON object.")
        return document

    def _query_parameters(self) -> dict[str, Any]:
        try:
            pairs = dict(parse_qsl(self._body.decode("ascii"), keep_blank_values=True, errors="strict"))
        except ValueError as error:
            raise SqsError("MalformedQueryString", str(error)) from error
        self.action = pairs.pop("Action", "")
        parameters: dict[str, Any] = {}
        if self._raw_path != b"/":
            parameters["QueueUrl"] = self._raw_path.decode("ascii", "replace")
        for name, value in pairs.items():
            _put_query(parameters, name.split("."), value)
        return _with_lists(parameters)


def _put_query(parameters: dict[str, Any], steps: list[str], value: str) -> None:
    place = parameters
    for step in steps[:-1]:
        deeper = place.setdefault(step, {})
        if not isinstance(deeper, dict):
            raise SqsError("MalformedQueryString", f"{'.'.join(steps)} is given twice.")
        place = deeper
    place[steps[-1]] = value


def _with_lists(parameters: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in parameters.items():
        members = list(value.values()) if isinstance(value, dict) else []
        if name == "Attribute":
            named = [one for one in members if isinstance(one, dict) and "Name" in one]
            if not all(isinstance(one["Name"], str) for one in named):
                raise SqsError("MalformedQueryString", "The Name of an Attribute is text.")
            result["Attributes"] = {one["Name"]: one.get("Value", "") for one in named}
        elif name in _LISTS:
            result[_LISTS[name]] = members
        else:
            result[name] = value
    return result


def _xml(action: str, result: dict[str, Any]) -> str:
    parts = []
    for name, value in result.items():
        if name == "Attributes":
            parts += [
                f"<Attribute><Name>{key}</Name><Value>{escape(text)}</Value></Attribute>" for key, text in value.items()
            ]
        elif isinstance(value, list):
            member = f"{action}ResultEntry" if name == "Successful" else _MEMBERS[name]
            parts += [
                f"<{member}>{_xml(action, one) if isinstance(one, dict) else escape(str(one))}</{member}>"
                for one in value
            ]
        elif not isinstance(value, dict):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            parts.append(f"<{name}>{escape(text)}</{name}>")
    return "".join(parts)
