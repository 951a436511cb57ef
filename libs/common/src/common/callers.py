"""Who calls: a bearer JWT becomes a `Caller`; the account scope of every query is set here and nowhere else."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import jwt
from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from jwt.types import Options
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from common import clock
from common.errors import Forbidden, NotFound, Unauthenticated
from common.parameters import refuse_odd_parameters
from common.reading import Reads, Row, columns
from common.settings import AUDIENCE

ALGORITHM = "EdDSA"
LEEWAY_SECONDS = 30
# The account that stands for the platform itself in the tokens of its services and its operator.
PLATFORM = UUID(int=0)
_PLATFORM_SCOPES = ("amazon:", "platform:")
_REMEMBERED = 10_000

# Times are held against our own clock: PyJWT knows only the machine's.
_OPTIONS: Options = {
    "require": ["exp", "iat", "sub", "aud", "iss"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}

M = TypeVar("M", bound=SQLModel)

# Answers the signing keys by `kid`; called with `True` to look again after an unknown one.
KeySource = Callable[[bool], Awaitable[Mapping[str, jwt.PyJWK]]]


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified token: whose account, who, and what it may do."""

    account_id: UUID
    subject: str
    scopes: frozenset[str]

    def scoped(self, model: type[M]) -> SelectOfScalar[M]:
        """`select(model)` limited to the caller's account."""
        return select(model).where(model.account_id == self.account_id)  # type: ignore[attr-defined]

    async def one(self, session: AsyncSession, model: type[M], record_id: UUID, *, lock: bool = False) -> M:
        """The record of this account with that id, locked for update when asked. Raises `NotFound`."""
        query = self.scoped(model).where(model.id == record_id)  # type: ignore[attr-defined]
        found = (await session.exec(query.with_for_update() if lock else query)).one_or_none()
        if found is None:
            raise NotFound(f"no {model.__name__} {record_id} in this account")
        return found

    async def row(self, reads: Reads, model: type[SQLModel], record_id: UUID) -> Row:
        """The columns of the record of this account with that id, read without a transaction. Raises `NotFound`."""
        found = await reads.row(_one_sql(model), self.account_id, record_id)
        if found is None:
            raise NotFound(f"no {model.__name__} {record_id} in this account")
        return found


@lru_cache(maxsize=256)
def _one_sql(model: type[SQLModel]) -> str:
    table = model.__tablename__
    return f'select {columns(model, "one")} from "{table}" one where one.account_id = $1 and one.id = $2'  # noqa: S608 - own names


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are accepted, and how they say what we need. Everything else in a token is ignored.

    `algorithms` are pinned here, never taken from the token. `account_claim` holds the account's UUID; `scope` is a
    string of words or a list, under `scope` or (some providers) `scp`. `grants_platform`: whether it may speak for the
    platform's own services and operator; an external issuer speaks for accounts alone.
    """

    name: str
    keys: KeySource
    audience: str = AUDIENCE
    algorithms: tuple[str, ...] = (ALGORITHM,)
    account_claim: str = "account"
    grants_platform: bool = True


class Verifier:
    """Verifies JWTs without a network call per request; a verified token (170 us each) is kept until it expires."""

    def __init__(self, *issuers: Issuer) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._remembered: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """Raises `Unauthenticated` with the reason."""
        if known := self._remembered.get(token):
            if known[0] > clock.now().timestamp():
                return known[1]
            del self._remembered[token]
        issuer = self._issuer_of(token)
        claims = await self._claims(issuer, token)
        caller = _caller_of(issuer, claims)
        self._remembered[token] = (float(claims["exp"]), caller)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return caller

    def _issuer_of(self, token: str) -> Issuer:
        """By what the token says of itself; the issuer's own keys then prove it or not."""
        try:
            said = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token is not valid: {type(error).__name__}") from None
        issuer = self._issuers.get(said) if isinstance(said, str) else None
        if issuer is None:
            raise Unauthenticated("the token's issuer is not accepted")
        return issuer

    async def _claims(self, issuer: Issuer, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in issuer.algorithms:
                raise Unauthenticated("the token's algorithm is not accepted")
            key_id = str(header.get("kid"))
            key = (await issuer.keys(False)).get(key_id) or (await issuer.keys(True)).get(key_id)
            if key is None:
                raise Unauthenticated("the token's signing key is not known")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(issuer.algorithms),
                audience=issuer.audience,
                issuer=issuer.name,
                options=_OPTIONS,
            )
            _refuse_outside_its_time(claims)
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired") from None
        except (jwt.PyJWTError, TypeError) as error:  # TypeError: a key of another kind than the algorithm's
            raise Unauthenticated(f"the token is not valid: {type(error).__name__}") from None
        return claims


def _refuse_outside_its_time(claims: Mapping[str, Any]) -> None:
    """PyJWT's own rules, by `common.clock`. Raises its errors."""
    now = clock.now().timestamp()
    try:
        expires, issued, begins = (int(claims.get(name, 0)) for name in ("exp", "iat", "nbf"))
    except (TypeError, ValueError):
        raise jwt.DecodeError("exp, iat and nbf are whole numbers") from None
    if expires <= now - LEEWAY_SECONDS:
        raise jwt.ExpiredSignatureError
    if max(issued, begins) > now + LEEWAY_SECONDS:
        raise jwt.ImmatureSignatureError


def _caller_of(issuer: Issuer, claims: Mapping[str, Any]) -> Caller:
    try:
        account_id = UUID(claims[issuer.account_claim])
    except (KeyError, ValueError, AttributeError, TypeError):
        raise Unauthenticated("the token names no account") from None
    said = claims.get("scope", claims.get("scp", ""))
    words = said if isinstance(said, list) else str(said).split()
    scopes = frozenset(str(word) for word in words)
    if not issuer.grants_platform:
        if account_id == PLATFORM:
            raise Unauthenticated("the token names no account")
        scopes = frozenset(scope for scope in scopes if not scope.startswith(_PLATFORM_SCOPES))
    return Caller(account_id, str(claims["sub"]), scopes)


_BEARER = "Bearer "
# Where a request's verified caller is kept: a guarded route verifies before its dependencies are solved.
_CALLER = "entrepot.caller"


class Requires(HTTPBearer):
    """One dependency for each route: it verifies the token, checks the scope (None: any will do), then what the
    request's parameters say, once for a request."""

    def __init__(self, scope: str | None) -> None:
        description = "A token from POST /v1/token of the auth service"
        super().__init__(scheme_name="HTTPBearer", auto_error=False, description=description)
        self.scope = scope  # a test reads it: every route declares one

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        known: Caller | None = request.scope.get(_CALLER)
        caller = known or await self._verify(request)
        if self.scope is not None and self.scope not in caller.scopes:
            raise Forbidden(f"this needs the scope {self.scope}", fix="Use an API key that has it")
        if known is None:
            refuse_odd_parameters(request)
            request.scope[_CALLER] = caller
        return caller

    async def _verify(self, request: Request) -> Caller:
        header = request.headers.get("authorization", "")
        token = header[len(_BEARER) :].strip()
        if not token or header[: len(_BEARER)].lower() != _BEARER.lower():
            raise Unauthenticated("no bearer token")
        verifier: Verifier = request.app.state.runtime.verifier
        return await verifier.verify(token)


def requires(scope: str) -> Any:
    """`caller: Annotated[Caller, requires("listings:read")]`: the route's scope, denied by default."""
    return Depends(Requires(scope))


def authenticated() -> Any:
    """`caller: Annotated[Caller, authenticated()]`: any valid token will do."""
    return Depends(Requires(None))
