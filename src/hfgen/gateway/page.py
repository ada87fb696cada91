"""The playground: one page and its files, which `web/` builds and the wheel carries.

The page shows what models write, and that is hostile until shown otherwise: it may run no script but its own, load
nothing from elsewhere, and be framed by nobody.
"""

import asyncio
import functools
import gzip
from importlib import resources
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# HTML may come to be through one policy only, which is DOMPurify's own.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types dompurify"
)
_GUARDED: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
_KINDS: Final = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}


class File(msgspec.Struct, frozen=True):
    """A file of the page, plain and compressed."""

    plain: bytes
    small: bytes
    kind: str


async def index(request: Request) -> Response:
    """The page itself, which names its files by their content and so is never kept."""
    files = await asyncio.to_thread(_files)
    return _answer(request, files["index.html"], "no-store")


async def file(request: Request) -> Response:
    """A file of the page.

    Raises:
        HTTPException: The page has no such file (404).
    """
    name: str = request.path_params["name"]
    found = (await asyncio.to_thread(_files)).get(name)
    if found is None:
        raise HTTPException(404)
    return _answer(request, found, _FOREVER if "-" in name else "no-cache")  # `main-0123456789ab.js`


PAGE: Final = (Route("/", index, methods=["GET"]), Route("/playground/{name}", file, methods=["GET"]))


@functools.cache
def _files() -> dict[str, File]:
    """Every file there is, by its name: what is not listed here cannot be asked for."""
    folder = resources.files("hfgen.gateway") / "playground"
    return {each.name: _file(each.name, each.read_bytes()) for each in folder.iterdir()}


def _file(name: str, plain: bytes) -> File:
    kind = f"{_KINDS[name.rpartition('.')[2]]}; charset=utf-8"
    return File(plain, gzip.compress(plain, mtime=0), kind)


def _answer(request: Request, found: File, kept: str) -> Response:
    headers = {**_GUARDED, "Cache-Control": kept, "Content-Type": found.kind}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(found.plain, headers=headers)
    return Response(found.small, headers={**headers, "Content-Encoding": "gzip"})
