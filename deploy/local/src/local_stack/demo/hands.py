"""The demo's hands: a merchant at the four services' doors, and the dials of the local Amazon."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from common.http import AsyncClient, NotSent, OutcomeUnknown, Response, client

T = TypeVar("T")


class StepFailed(RuntimeError):
    """A step did not see what it must see; the text says what it saw last."""


class ServiceAway(StepFailed):
    """503: the service, or one it needs, is starting or restarting; worth another try."""


async def until(what: str, look: Callable[[], Awaitable[T]], *, within: float) -> T:
    """Looks again until it sees something true; answers that."""
    ends = time.monotonic() + within
    while True:
        seen = await look()
        if seen:
            return seen
        if time.monotonic() > ends:
            raise StepFailed(f"not seen within {within:.0f} s: {what}")
        await asyncio.sleep(0.1)


class Merchant:
    """Calls the services with an API key's token, as a frontend does."""

    def __init__(self, addresses: dict[str, str], api_key: str) -> None:
        self._addresses = addresses
        self._api_key = api_key
        self._http: AsyncClient = client()
        self._token = ""

    async def sign_in(self) -> None:
        """Exchanges the API key for a short-lived token."""
        answer = await self._http.post(
            f"{self._addresses['auth']}/v1/token", headers={"authorization": f"Bearer {self._api_key}"}
        )
        self._token = _read(answer)["access_token"]

    async def call(self, service: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One request; its JSON. StepFailed with the problem when it is refused."""
        answer = await self._http.request(
            method,
            f"{self._addresses[service]}{path}",
            json=body,
            params={name: value for name, value in query.items() if value is not None},
            headers={"authorization": f"Bearer {self._token}"},
        )
        return _read(answer)

    async def every(self, service: str, path: str, **query: Any) -> list[Any]:
        """All items of a paged list."""
        items: list[Any] = []
        cursor = None
        while True:
            page = await self.call(service, "GET", path, cursor=cursor, **query)
            items += page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return items

    async def visit(self, url: str) -> Any:
        """What a browser does: follows one redirect; the JSON of the page it ends on."""
        first = await self._http.get(url)
        if first.status_code != 302:
            raise StepFailed(f"the consent page answered {first.status_code}")
        return _read(await self._http.get(first.headers["location"]))

    async def finished(self, service: str, run: Any, *, within: float) -> Any:
        """The operation run once it has ended; StepFailed when it failed. A service that is away is waited for."""

        async def look() -> Any:
            try:
                current = await self.call(service, "GET", f"/v1/operations/{run['id']}")
            except (NotSent, OutcomeUnknown, ServiceAway):
                return None
            return current if current["status"] in ("succeeded", "failed") else None

        ended = await until(f"the end of {run['operation']}", look, within=within)
        if ended["status"] != "succeeded":
            raise StepFailed(f"{ended['operation']} failed: {ended['errors'][:1]}")
        return ended

    async def close(self) -> None:
        await self._http.aclose()


class Amazon:
    """The local Amazon: its dials and its books."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http: AsyncClient = client()

    async def dial(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        return _read(await self._http.request(method, f"{self.url}/sandbox{path}", json=body, params=query))

    async def close(self) -> None:
        await self._http.aclose()


def _read(answer: Response) -> Any:
    if answer.status_code >= 300:
        kind = ServiceAway if answer.status_code == 503 else StepFailed
        raise kind(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:500]}")
    return answer.json() if answer.content else None
