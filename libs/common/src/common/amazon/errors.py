"""What can go wrong with a call to Amazon, as named outcomes.

    AmazonError
    ├── Throttled               429, or our own bucket stays empty too long: `retry_after` seconds
    ├── AccessDenied            401 or 403, again with a fresh access token (missing role, wrong region)
    ├── ConnectionRevoked       auth says that Amazon refuses the seller's grant: stop until it is authorised again
    ├── ConnectionNotActive     auth says that the connection is pending, disabled or deleted
    ├── AccessTokenUnavailable  auth gave no access token
    ├── AmazonNotFound          404
    ├── InvalidInput            any other 4xx: `message` and `details` are Amazon's words, unchanged requests fail again
    ├── AmazonUnavailable       5xx, or never sent, after the retries
    ├── MalformedAnswer         a success whose body is not what the model says
    └── OutcomeUnknown          a request that may have been carried out: read before writing again

No error carries a token, and only the two of `orders` that say so a body; `str()` holds the operation, status, code and
request id, and is fit for a log.
"""

import msgspec

from common import http


class AmazonError(Exception):
    """A call that did not succeed. `request_id` is Amazon's `x-amzn-RequestId`, which its support asks for."""

    def __init__(
        self,
        operation: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        reason: str | None = None,
    ) -> None:
        told = " ".join(str(part) for part in (status, code, reason) if part is not None)
        request = f" (request {request_id})" if request_id else ""
        super().__init__(f"{operation}: {type(self).__name__} {told}".rstrip() + request)
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id


class Throttled(AmazonError):
    """No call may be made for `retry_after` seconds. `status` is 429 when Amazon said so, None when our bucket did."""

    def __init__(
        self,
        operation: str,
        *,
        retry_after: float,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(
            operation, status=status, code=code, request_id=request_id, reason=f"retry after {retry_after:.1f} s"
        )
        self.retry_after = retry_after


class AccessDenied(AmazonError):
    """401 or 403 even with a fresh access token."""


class ConnectionRevoked(AmazonError):
    """Amazon refuses the seller's grant; only a new consent helps."""


class ConnectionNotActive(AmazonError):
    """The connection is pending, disabled, deleted or unknown to auth."""


class AccessTokenUnavailable(AmazonError):
    """The auth service gave no access token: it is down, or does not accept us."""


class AmazonNotFound(AmazonError):
    """404: Amazon does not have it, or not yet (FACTS 5.6.2)."""


class InvalidInput(AmazonError):
    """Amazon refuses the request as it is. Branch on `status`; codes are spelt inconsistently (FACTS 3.6)."""

    def __init__(
        self,
        operation: str,
        *,
        status: int,
        code: str | None = None,
        request_id: str | None = None,
        message: str = "",
        details: str = "",
    ) -> None:
        super().__init__(operation, status=status, code=code, request_id=request_id)
        self.message = message
        self.details = details


class AmazonUnavailable(AmazonError):
    """Amazon answered 5xx, or could not be reached, until the retries were used up."""


class MalformedAnswer(AmazonError):
    """A 2xx whose body cannot be read as the operation's answer; never to be taken for an empty one (F11)."""


class OutcomeUnknown(AmazonError, http.OutcomeUnknown):
    """The request may have been carried out: a lost answer, or a 5xx to an operation that must not be repeated."""

    def __init__(self, operation: str, *, status: int | None = None, request_id: str | None = None) -> None:
        AmazonError.__init__(self, operation, status=status, request_id=request_id)


class Fault(msgspec.Struct, frozen=True):
    """One entry of Amazon's `{"errors": [...]}`; every field may be missing, empty or null (FACTS 3.6)."""

    code: str | None = None
    message: str | None = None
    details: str | None = None


class _Faults(msgspec.Struct):
    errors: list[Fault]


_decoder = msgspec.json.Decoder(_Faults)
_LONGEST_WORDS = 2000


def first_fault(body: bytes) -> Fault:
    """The first error of an answer's body; an empty one when the body is HTML, empty, cut off or anything else."""
    try:
        faults = _decoder.decode(body).errors
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Fault()
    if not faults:
        return Fault()
    return Fault(*(_kept(text) for text in (faults[0].code, faults[0].message, faults[0].details)))


def _kept(text: str | None) -> str | None:
    """Amazon's words as a column can hold them."""
    return text.replace("\x00", "\ufffd")[:_LONGEST_WORDS] if text else text


def refusal(operation: str, status: int, fault: Fault, request_id: str | None) -> AmazonError:
    """The error that a 4xx answer other than 429 stands for."""
    if status in (401, 403):
        return AccessDenied(operation, status=status, code=fault.code, request_id=request_id)
    if status == 404:
        return AmazonNotFound(operation, status=status, code=fault.code, request_id=request_id)
    return InvalidInput(
        operation,
        status=status,
        code=fault.code,
        request_id=request_id,
        message=fault.message or "",
        details=fault.details or "",
    )
