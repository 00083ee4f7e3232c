"""The files of the console: style, script and icon, from the package alone."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from services.console.endpoints import Endpoint
from services.console.visit import PageNotFound
from services.operator.permissions.access import Right

if TYPE_CHECKING:
    from services.console.visit import Visit

KINDS: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def asset(visit: Visit) -> Response:
    """One file by its name."""
    name = visit.values["name"]
    if (content := _contents().get(name)) is None:
        raise PageNotFound
    kind = KINDS[name.rpartition(".")[2]]
    return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=3600"})


@cache
def _contents() -> dict[str, bytes]:
    folder = files("services.console") / "static"
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in KINDS}


ENDPOINTS: Final = (Endpoint("GET", "/static/{name}", Right.PUBLIC, asset, anonymous=True),)
