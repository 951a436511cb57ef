"""`/healthz` (the process lives), `/readyz` (what it needs answers, and if not: what to do) and `/metrics`."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from common import migrations
from common.parameters import OpenDoor
from common.schemas import Answer, Values

_PATIENCE = 2.0


class HealthAnswer(Answer):
    """The process lives."""

    status: str = Values("ok", description="always this one")


class ReadyAnswer(Answer):
    """Whether the process can do its work, and what each part it needs says: `ok`, or what is wrong and the fix."""

    status: str = Values("ready", "not_ready", description="whether it can")
    checks: dict[str, str]


def health_routes() -> APIRouter:
    router = APIRouter(tags=["health"], dependencies=[OpenDoor])

    @router.get("/healthz")
    async def healthz() -> HealthAnswer:
        """The process answers."""
        return HealthAnswer(status="ok")

    @router.get("/readyz", response_model=ReadyAnswer, responses={503: {"model": ReadyAnswer}})
    async def readyz(request: Request) -> JSONResponse:
        """200 when this process can do its work; 503 with what is missing and how to fix it."""
        runtime = request.app.state.runtime
        database, kafka = await asyncio.gather(
            database_problem(runtime), _kafka(runtime.settings.kafka_bootstrap_servers)
        )
        stands = {pulse.name: pulse.problem() for pulse in runtime.pulses}
        refused = any(pulse.refused for pulse in runtime.pulses)
        # An API without the broker still accepts: the outbox keeps its events.
        accepts = kafka is not None and "api" in runtime.settings.roles
        moves = kafka is None and not any(stands.values())
        ready = database is None and not refused and (moves or accepts)
        checks = {name: problem or "ok" for name, problem in {"database": database, "kafka": kafka, **stands}.items()}
        return JSONResponse({"status": "ready" if ready else "not_ready", "checks": checks}, 200 if ready else 503)

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def database_problem(runtime: Any) -> str | None:
    """Why the database cannot be worked with, and the fix; None when it can."""
    try:
        async with asyncio.timeout(_PATIENCE):
            missing = await migrations.missing(runtime.db, runtime.service.package)
    except Exception as error:
        return f"the database does not answer ({type(error).__name__}): check DATABASE_URL and that PostgreSQL runs"
    return (
        f"the database lacks migrations {missing}: run `python -m {runtime.service.package} migrate`"
        if missing
        else None
    )


async def _kafka(bootstrap_servers: str) -> str | None:
    host, _, port = bootstrap_servers.split(",")[0].rpartition(":")
    try:
        async with asyncio.timeout(_PATIENCE):
            _reader, writer = await asyncio.open_connection(host, int(port))
    except (OSError, ValueError) as error:
        return f"no broker answers ({type(error).__name__}): check KAFKA_BOOTSTRAP_SERVERS; events wait in the outbox"
    writer.close()
    return None
