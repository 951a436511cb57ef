"""One process on four sockets: LWA, consent and dials on each, the SP-API of one region on three of them."""

import json
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from amazon_sandbox import world_files
from amazon_sandbox.app import AmazonApp
from amazon_sandbox.connections import CuttableProtocol
from amazon_sandbox.marketplaces import REGION_CODES, RegionCode
from amazon_sandbox.settings import Settings
from amazon_sandbox.static_cases import StaticCases
from amazon_sandbox.world import World

_BACKLOG = 2048
# As long as a load balancer keeps an idle connection: clients give theirs up first, and no request meets a closed one.
_IDLE_SECONDS = 75


class _Server(uvicorn.Server):
    """Says on stdout when it is ready: one line of JSON with the base URLs."""

    def __init__(self, config: uvicorn.Config, ready: Mapping[str, object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(json.dumps({"ready": True, **self._ready}), flush=True)


def serve(
    host: str,
    main_port: int,
    region_ports: Mapping[RegionCode, int],
    settings: Settings,
    world_file: Path | None = None,
    models_folder: Path | None = None,
) -> None:
    """Runs until SIGTERM or SIGINT; a port of 0 is any free one. SystemExit says what is wrong with a file."""
    try:
        world = World(settings, StaticCases(models_folder) if models_folder is not None else None)
        if world_file is not None:
            world_files.load(world, world_file.read_bytes())
    except ValueError as error:
        raise SystemExit(f"{world_file or models_folder}: {error}") from error
    main = _listen(host, main_port)
    regional = {region: _listen(host, region_ports[region]) for region in REGION_CODES}
    base = _url(host, main)
    ready = {"lwa": base, "consent": base, "dials": base}
    ready |= {region.lower(): _url(host, sock) for region, sock in regional.items()}
    app = AmazonApp(world, {sock.getsockname()[1]: region for region, sock in regional.items()})
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        date_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=2,
    )
    # uvicorn raises the signal once more after a clean stop; ignored by then, the exit status is 0.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Server(config, ready).run(sockets=[main, *regional.values()])


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.create_server((host, port), backlog=_BACKLOG)
    listening.set_inheritable(False)
    return listening


def _url(host: str, listening: socket.socket) -> str:
    return f"http://{host}:{listening.getsockname()[1]}"
