"""The XML of order feeds: the envelope that comes in and the processing report that goes out (FACTS 8.4)."""

from collections.abc import Callable
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from amazon_sandbox.feeds.result import MOST_BYTES, Feeding, FileProblem, Result
from amazon_sandbox.jobs.job import DONE, FATAL
from amazon_sandbox.wire import SpApiError, invalid_input

_CONTENT_TYPE = "text/xml; charset=UTF-8"
_BAD_FILE = "5001"
_BAD_MESSAGE = "18028"


class _Failure(NamedTuple):
    message_id: str
    code: str
    description: str
    order_id: str | None = None


def process(feeding: Feeding, content: bytes, message_type: str, handle: Callable[[Feeding, Element], None]) -> Result:
    """Hands each message's element to `handle`, which makes it true or raises SpApiError with the reason."""
    try:
        messages = _messages(content, message_type)
    except FileProblem as problem:
        return _result(feeding, FATAL, 0, [], _Failure("0", _BAD_FILE, str(problem)))
    failures: list[_Failure] = []
    for position, (message_id, element) in enumerate(messages, start=1):
        if feeding.is_cut_off(position - 1):
            return _result(feeding, FATAL, position - 1, failures)
        try:
            if feeding.fate.refuses_message(position, ""):
                raise invalid_input("This message was refused because a dial asked for it.")
            if element is None:
                raise invalid_input(f"The message has no {message_type}.")
            handle(feeding, element)
        except SpApiError as error:
            order_id = text_of(element, "AmazonOrderID")
            failures.append(_Failure(message_id, _BAD_MESSAGE, f"{error.message} {error.details}".strip(), order_id))
    return _result(feeding, DONE, len(messages), failures)


def text_of(element: Element | None, name: str) -> str | None:
    """The text of a child without the space around it; None when there is none."""
    text = element.findtext(name) if element is not None else None
    return (text.strip() or None) if text is not None else None


def needed_text(element: Element, name: str) -> str:
    """Raises SpApiError when the child is not there or empty."""
    text = text_of(element, name)
    if text is None:
        raise invalid_input(f"{element.tag} needs {name}.")
    return text


def quantity_of(element: Element) -> int | None:
    """The Quantity of an item, or None. Raises SpApiError when it is no number above 0."""
    text = text_of(element, "Quantity")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 8 and int(text) > 0):
        raise invalid_input("Quantity is a whole number above 0.")
    return int(text)


def _messages(content: bytes, message_type: str) -> list[tuple[str, Element | None]]:
    if len(content) > MOST_BYTES:
        raise FileProblem(f"The feed is larger than {MOST_BYTES} bytes.")
    try:
        envelope: Element = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise FileProblem(f"The feed is not well-formed XML without a DTD: {error}") from error
    if envelope.tag != "AmazonEnvelope":
        raise FileProblem("The feed is not an AmazonEnvelope.")
    if text_of(envelope, "MessageType") != message_type:
        raise FileProblem(f"The MessageType of this feed is {message_type}.")
    messages = [(text_of(one, "MessageID") or "0", one.find(message_type)) for one in envelope.iterfind("Message")]
    if not messages:
        raise FileProblem("The feed has no Message.")
    return messages


def _result(
    feeding: Feeding, status: str, processed: int, failures: list[_Failure], of_file: _Failure | None = None
) -> Result:
    envelope = Element("AmazonEnvelope")
    header = _child(envelope, "Header")
    _child(header, "DocumentVersion", "1.02")
    _child(header, "MerchantIdentifier", feeding.seller.selling_partner_id)
    _child(envelope, "MessageType", "ProcessingReport")
    message = _child(envelope, "Message")
    _child(message, "MessageID", "1")
    report = _child(message, "ProcessingReport")
    _child(report, "DocumentTransactionID", feeding.feed_id)
    _child(report, "StatusCode", "Complete" if status == DONE else "Rejected")
    summary = _child(report, "ProcessingSummary")
    _child(summary, "MessagesProcessed", str(processed))
    _child(summary, "MessagesSuccessful", str(processed - len(failures)))
    _child(summary, "MessagesWithError", str(len(failures)))
    _child(summary, "MessagesWithWarning", "0")
    for failure in [of_file, *failures] if of_file is not None else failures:
        result = _child(report, "Result")
        _child(result, "MessageID", failure.message_id)
        _child(result, "ResultCode", "Error")
        _child(result, "ResultMessageCode", failure.code)
        _child(result, "ResultDescription", failure.description)
        if failure.order_id is not None:
            _child(_child(result, "AdditionalInfo"), "AmazonOrderID", failure.order_id)
    return Result(status, tostring(envelope, encoding="UTF-8", xml_declaration=True), _CONTENT_TYPE)


def _child(parent: Element, name: str, text: str | None = None) -> Element:
    child = SubElement(parent, name)
    child.text = text
    return child
