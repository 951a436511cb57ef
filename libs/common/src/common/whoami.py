"""`/v1/whoami` of every service: what its token lets a caller do here."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from common.callers import Caller, authenticated
from common.front_door import Guarded
from common.schemas import Answer


class WhoamiAnswer(Answer):
    """Whose token this is."""

    account_id: UUID
    subject: str = Field(description="who: `key:<id>`, or the subject that an external issuer gives")
    scopes: list[str] = Field(description="what it may do, sorted")


def whoami_routes() -> APIRouter:
    router = APIRouter(route_class=Guarded, tags=["identity"])

    @router.get("/v1/whoami")
    async def whoami(caller: Annotated[Caller, authenticated()]) -> WhoamiAnswer:
        """The account, the subject and the scopes of the token that was sent. Any valid token may ask."""
        return WhoamiAnswer(account_id=caller.account_id, subject=caller.subject, scopes=sorted(caller.scopes))

    return router
