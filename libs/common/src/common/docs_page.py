"""`/docs`: the service's API to read and to try. Its files come from a package, so that it works without the internet;
its policy lets it load and call nothing but this service."""

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Response
from starlette.responses import FileResponse

from common.errors import NotFound

_FILES = Path(fastapi_offline.__file__).parent / "static"
_SERVED = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
_POLICY = {
    # Swagger UI sets styles on elements and draws its icons as data; no script but its files runs.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon.png">
</head>
<body>
<div id="api"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#api", deepLinking: true, persistAuthorization: true, displayRequestDuration: true,
  validatorUrl: null, presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout",
});
"""


def docs_routes(title: str) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def page() -> Response:
        return Response(_PAGE.format(title=title), media_type="text/html; charset=utf-8", headers=_POLICY)

    @router.get("/docs/start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript", headers=_POLICY)

    @router.get("/docs/{name}")
    async def file(name: str) -> Response:
        if name not in _SERVED:
            raise NotFound("no such file of the API page")
        return FileResponse(_FILES / name, media_type=_SERVED[name], headers=_POLICY)

    return router
