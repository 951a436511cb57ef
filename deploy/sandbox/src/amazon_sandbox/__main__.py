"""`python -m amazon_sandbox`: starts the local Amazon."""

from pathlib import Path
from typing import Annotated

import typer

from amazon_sandbox.server import serve
from amazon_sandbox.settings import QuotaSettings, Settings, problem_with


def start(
    host: Annotated[str, typer.Option(envvar="AMAZON_SANDBOX_HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="AMAZON_SANDBOX_PORT", help="LWA, consent page and dials; 0 is any free port.")
    ] = 9400,
    na_port: Annotated[int, typer.Option(envvar="AMAZON_SANDBOX_NA_PORT", help="SP-API of North America.")] = 9401,
    eu_port: Annotated[int, typer.Option(envvar="AMAZON_SANDBOX_EU_PORT", help="SP-API of Europe.")] = 9402,
    fe_port: Annotated[int, typer.Option(envvar="AMAZON_SANDBOX_FE_PORT", help="SP-API of the Far East.")] = 9403,
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(
            envvar="AMAZON_SANDBOX_REDIRECT_URI",
            help="A redirect URI registered for the apps; repeatable, in the environment separated by spaces.",
        ),
    ] = None,
    login_uri: Annotated[
        str,
        typer.Option(envvar="AMAZON_SANDBOX_LOGIN_URI", help="The apps' login URI, for what Amazon begins."),
    ] = "",
    auto_consent: Annotated[
        bool,
        typer.Option(
            "--auto-consent/--no-auto-consent",
            envvar="AMAZON_SANDBOX_AUTO_CONSENT",
            help="The consent page confirms by itself when the seller is clear.",
        ),
    ] = False,
    world: Annotated[
        Path | None,
        typer.Option(
            envvar="AMAZON_SANDBOX_WORLD",
            exists=True,
            dir_okay=False,
            help="The world to start with: a snapshot, or a JSON list of dials to turn.",
        ),
    ] = None,
    static: Annotated[
        Path | None,
        typer.Option(
            envvar="AMAZON_SANDBOX_STATIC",
            exists=True,
            file_okay=False,
            help="Static mode: a folder of Amazon's model files, whose published cases answer.",
        ),
    ] = None,
    quotas: Annotated[
        bool,
        typer.Option("--quotas/--no-quotas", envvar="AMAZON_SANDBOX_QUOTAS", help="Throttle as Amazon does."),
    ] = True,
) -> None:
    """A local, stateful Amazon: SP-API, Login with Amazon and the consent page. Dials: GET /sandbox."""
    settings = Settings(
        quotas=QuotaSettings(enabled=quotas),
        auto_consent=auto_consent,
        redirect_uris=tuple(redirect_uri or ()),
        login_uri=login_uri,
    )
    problem = problem_with(settings)
    if problem is not None:
        raise typer.BadParameter(problem)
    serve(host, port, {"NA": na_port, "EU": eu_port, "FE": fe_port}, settings, world, static)


def main() -> None:
    typer.run(start)


if __name__ == "__main__":
    main()
