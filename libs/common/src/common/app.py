"""One service process: `Runtime` holds its parts, `create_service_app` starts what its roles ask for."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Generic, TypeVar

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from prometheus_client import Histogram
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import dead_letters, errors, followed_clock, front_door, http, refused_events, telemetry
from common.amazon.access import AccessTokens, AuthAccessTokens
from common.amazon.client import AmazonClient
from common.amazon.limits import Limits
from common.amazon.operations import Service as ServiceName
from common.callers import Issuer, KeySource, Verifier
from common.crypto import KeyRing
from common.db import Database
from common.docs_page import docs_routes
from common.head import HeadAsGet
from common.health import database_problem, health_routes
from common.jobs import Runner
from common.kafka import Consumer, Handler
from common.openapi import ServiceApp, operation_id
from common.outbox import Notifier, Relay
from common.pruning import Pruning
from common.pulse import Pulse
from common.reading import Reads
from common.replica_lock import ReplicaLock
from common.rewrapping import SealedColumn
from common.service_tokens import RemoteKeys, ServiceToken
from common.settings import ServiceSettings
from common.whoami import whoami_routes
from common.worker import Worker

log = structlog.get_logger()

S = TypeVar("S", bound=ServiceSettings)

requests = Histogram("entrepot_http_seconds", "Requests answered", ["method", "route", "status"])


class Runtime(Generic[S]):
    """The parts of one running service; use cases get what they need of it."""

    def __init__(self, service: "Service[S]", settings: S) -> None:
        self.service = service
        self.settings = settings
        self.db = Database(
            settings.database_url.get_secret_value(), service=service.name, pool_size=settings.database_pool_size
        )
        self.reads = Reads(self.db.engine)
        self.http = http.client()
        # Of the loops that must move for this process to be ready; filled when they start.
        self.pulses: list[Pulse] = []
        self.key_ring = KeyRing.parse(settings.key_ring.get_secret_value())
        auth_url = str(settings.auth_url).rstrip("/")
        self.service_token = ServiceToken(self.http, auth_url, settings.service_key.get_secret_value())
        self.verifier = Verifier(*self._issuers(auth_url))
        self.access: AccessTokens = (
            service.access(self) if service.access else AuthAccessTokens(self.http, auth_url, self.service_token)
        )
        self.amazon = AmazonClient(
            self.http,
            self.access,
            Limits(self.db.engine, service.name),
            app_ids=settings.amazon_client_ids,
            endpoints=settings.amazon_endpoints,
        )

    def _issuers(self, auth_url: str) -> list[Issuer]:
        """Auth, whose keys sign the tokens of services and API keys, and beside it the external one, if any."""
        settings = self.settings
        keys = self.service.keys(self) if self.service.keys else RemoteKeys.of_auth(self.http, auth_url)
        issuers = [Issuer(settings.token_issuer, keys)]
        if settings.oidc_issuer:
            external = Issuer(
                settings.oidc_issuer,
                RemoteKeys(self.http, str(settings.oidc_jwks_url)),
                audience=settings.oidc_audience,
                algorithms=tuple(settings.oidc_algorithms),
                account_claim=settings.oidc_account_claim,
                grants_platform=False,
            )
            issuers.append(external)
        return issuers

    def consumer(self) -> Consumer | None:
        """This service's consumer, when it reads any topic."""
        if self.service.events is None:
            return None
        return Consumer(
            self.db,
            self.settings.kafka_bootstrap_servers,
            name=self.service.name,
            topics=self.service.topics,
            handler=self.service.events(self),
            key_ring=self.key_ring,
            replica=self.settings.replica,
            rest_seconds=self.settings.consumer_rest_seconds,
        )

    def worker(self) -> Worker:
        """What executes this service's operation runs."""
        return Worker(
            self.db,
            self.service.operations(self) if self.service.operations else {},
            alarm_after_seconds=self.settings.run_wait_alarm_seconds,
        )

    async def close(self) -> None:
        await self.http.aclose()
        await self.db.close()


@dataclass(frozen=True)
class Service(Generic[S]):
    """What makes a service: its three doors, the columns that its key ring seals and, for auth, its own keys and
    tokens."""

    name: ServiceName
    package: str
    settings: type[S]
    routers: Sequence[APIRouter]
    topics: Sequence[str] = ()
    events: Callable[[Runtime[S]], Handler] | None = None
    operations: Callable[[Runtime[S]], Mapping[str, Runner]] | None = None
    background: Callable[[Runtime[S]], Mapping[str, Callable[[], Awaitable[None]]]] | None = None
    keys: Callable[[Runtime[S]], KeySource] | None = None
    access: Callable[[Runtime[S]], AccessTokens] | None = None
    sealed: Sequence[SealedColumn] = ()
    description: str = ""

    @property
    def all_sealed(self) -> Sequence[SealedColumn]:
        """Its own columns, and what every service that reads topics keeps of the messages that it refused."""
        return (*self.sealed, dead_letters.SEALED) if self.topics else self.sealed


async def _runtime(request: Request) -> Runtime[Any]:
    runtime: Runtime[Any] = request.app.state.runtime
    return runtime


RuntimeDependency = Annotated[Runtime[Any], Depends(_runtime)]


def create_service_app(service: Service[S], settings: S) -> FastAPI:
    """The service's FastAPI app. Its lifespan starts relay, consumer and jobs when the roles include `worker`."""
    runtime = Runtime(service, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_keep(runtime, name, loop), name=name) for name, loop in _loops(runtime).items()]
        if settings.clock_url is not None:
            await followed_clock.adopt(runtime.http, str(settings.clock_url))
            tasks.append(asyncio.create_task(followed_clock.follow(runtime.http, str(settings.clock_url))))
        log.info("service_started", roles=sorted(settings.roles), port=settings.port)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runtime.close()
            log.info("service_stopped")

    title = f"Entrepot {service.name}"
    app = ServiceApp(
        title=title,
        version="1",
        description=service.description,
        servers=[{"url": "/", "description": "Where this document is served"}],
        generate_unique_id_function=operation_id,
        redirect_slashes=False,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.state.service = service
    errors.install(app)
    front_door.install(app)
    app.include_router(health_routes())
    app.include_router(docs_routes(title))
    if "api" in settings.roles:
        app.include_router(whoami_routes())
        for router in service.routers:
            app.include_router(router)
        if service.topics:
            app.include_router(refused_events.router)
    app.add_middleware(HeadAsGet)
    app.add_middleware(front_door.FrontDoor, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-Correlation-Id"),
            expose_headers=("X-Correlation-Id", "Retry-After", "Location"),
            allow_credentials=True,  # the cookie that ties a consent to its browser (ADR 6)
        )
    app.add_middleware(RequestLog)
    return app


def _loops(runtime: Runtime[S]) -> dict[str, Callable[[], Awaitable[None]]]:
    if "worker" not in runtime.settings.roles:
        return {"notifier": Notifier(runtime.db).run}
    relay = Relay(runtime.db, runtime.settings.kafka_bootstrap_servers)
    loops: dict[str, Callable[[], Awaitable[None]]] = {"relay": relay.run}
    runtime.pulses = [relay.pulse]
    if consumer := runtime.consumer():
        alone = ReplicaLock(runtime.db, runtime.settings.replica, consumer.pulse)
        loops["consumer"] = partial(alone.run, consumer.run)
        loops["replay"] = consumer.replay_by_itself
        runtime.pulses.append(consumer.pulse)
    loops["pruning"] = Pruning(runtime.db, runtime.settings).run
    if runtime.service.operations:
        loops["jobs"] = runtime.worker().run
    if runtime.service.background:
        loops |= runtime.service.background(runtime)
    return loops


async def _keep(runtime: Runtime[Any], name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Runs a loop for ever, once the database is there and migrated; a bug is logged and the loop begins again."""
    waiting_for = ""
    while problem := await database_problem(runtime):
        if problem != waiting_for:
            log.warning("loop_waits", loop=name, reason=problem)
        waiting_for = problem
        await asyncio.sleep(0.5)
    while True:
        try:
            await loop()
        except Exception as error:
            log.error("loop_broke", loop=name, reason=type(error).__name__, stack=telemetry.stack_of(error))
            await asyncio.sleep(1)


# Of every answer: a query string may hold an OAuth state and code (FACTS 2.1 step 5), and no page needs to know ours.
_NO_REFERRER = (b"referrer-policy", b"no-referrer")


class RequestLog:
    """Continues the caller's correlation id, answers it, and times the request by its route template."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-correlation-id"), b"")
        correlation = telemetry.correlate(given.decode("latin-1")).encode()
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).extend(((b"x-correlation-id", correlation), _NO_REFERRER))
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            requests.labels(scope["method"], route, status).observe(time.perf_counter() - started)
