"""Who calls: a bearer JWT becomes a `Caller`; the account scope of every query is set here and nowhere else."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
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

ALGORITHM = "EdDSA"
AUDIENCE = "entrepot"
LEEWAY_SECONDS = 30
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


class Verifier:
    """Verifies JWTs without a network call per request; a verified token (170 us each) is kept until it expires."""

    def __init__(self, keys: KeySource, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._remembered: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """Raises `Unauthenticated` with the reason."""
        if known := self._remembered.get(token):
            if known[0] > clock.now().timestamp():
                return known[1]
            del self._remembered[token]
        claims = await self._claims(token)
        try:
            caller = Caller(
                UUID(claims["account"]), str(claims["sub"]), frozenset(str(claims.get("scope", "")).split())
            )
        except (KeyError, ValueError):
            raise Unauthenticated("the token names no account") from None
        self._remembered[token] = (float(claims["exp"]), caller)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return caller

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != ALGORITHM:
                raise Unauthenticated("the token's algorithm is not accepted")
            key_id = str(header.get("kid"))
            key = (await self._keys(False)).get(key_id) or (await self._keys(True)).get(key_id)
            if key is None:
                raise Unauthenticated("the token's signing key is not known")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                options=_OPTIONS,
            )
            _refuse_outside_its_time(claims)
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired") from None
        except jwt.PyJWTError as error:
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


_bearer = HTTPBearer(auto_error=False, description="A token from POST /v1/token of the auth service")


async def _caller(request: Request, _: Annotated[object, Depends(_bearer)]) -> Caller:
    scheme, _space, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("no bearer token")
    verifier: Verifier = request.app.state.runtime.verifier
    return await verifier.verify(token)


class requires:  # noqa: N801 - reads as a word at the route
    """`caller: Annotated[Caller, requires("listings:read")]`: the route's scope, denied by default."""

    def __new__(cls, scope: str) -> Any:
        async def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
            if scope not in caller.scopes:
                raise Forbidden(f"this needs the scope {scope}", fix="Use an API key that has it")
            return caller

        check.scope = scope  # type: ignore[attr-defined]  # a test reads it: every route declares one
        return Depends(check)
