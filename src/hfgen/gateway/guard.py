"""Who may call: the gateway's door, passed before any route, any key and any file.

A web page of a stranger can reach a server on this machine through the browser of the person who sits there: by a name
of its own that it lets point here (DNS rebinding), or by a request that needs no leave (CSRF). `Host`, `Origin` and the
type of the body tell such a request from an honest one.
"""

import asyncio
import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hfgen.gateway.files import FILES
from hfgen.gateway.keys import any_equal, digest
from hfgen.gateway.paths import own_path
from hfgen.gateway.picture_store import PICTURES
from hfgen.gateway.settings import Limits, Settings
from hfgen.openai_api.refusal import Refusal

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_MOST_HEADERS: Final = 32 * 2**10
_LONGEST_LENGTH: Final = 20  # digits, leading zeros included; Python reads no number of thousands of them
# What may be read without a key: whether the process lives, the page, which asks for the key itself, and pictures (an
# <img> brings no key), whose names nobody can guess.
_OPEN: Final = frozenset({"/health", "/ready", "/"})
_OPEN_BELOW: Final = ("/playground/", PICTURES)
_READING: Final = ("GET", "HEAD")
# Without credentials `*` is any header but Authorization (Fetch, CORS-preflight fetch); OpenAI's client sends a dozen.
_ALLOWED_HEADERS: Final = b"authorization, content-type, x-api-key, *"


class Guard:
    """Lets a request through, or refuses it.

    Args:
        app: What is guarded.
        settings: Whom to let through.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = _LOOPBACK | {host.lower() for host in settings.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass.

        Raises:
            Refusal: It may not.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _MOST_HEADERS:
            raise Refusal(431, f"the headers hold more than {_MOST_HEADERS // 2**10} KiB")
        self._check_host(headers.getlist("host"))
        origin = self._checked_origin(headers)
        if origin:
            scope["hfgen.origin"] = origin  # the head of the answer names it, also where that is an error
            if scope["method"] == "OPTIONS":
                await _preflight(send)
                return
        self._check_body(scope, headers)
        self._check_key(scope, headers)
        limits = self._settings.limits
        await self._app(scope, Bounded(receive, _largest(scope, limits), _longest(scope, limits)), send)

    def _check_host(self, said: list[str]) -> None:
        host = host_of(said[0]) if len(said) == 1 else ""
        if host not in self._hosts and not (self._settings.public and _is_address(host)):
            raise Refusal(421, "the Host header names no host of this gateway; see --allow-host", code="unknown_host")

    def _checked_origin(self, headers: Headers) -> str:
        """The origin of the page that calls, "" where none does or it is the gateway's own."""
        origin = headers.get("origin")
        if origin is None or _netloc(origin) == headers.get("host", "").lower():
            return ""
        if origin not in self._settings.origins:
            raise Refusal(403, f"pages of {origin[:200]} may not call here; see --allow-origin", code="unknown_origin")
        return origin

    def _check_body(self, scope: Scope, headers: Headers) -> None:
        if scope["method"] != "POST":
            return
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        wanted = "multipart/form-data" if own_path(scope) == FILES else "application/json"
        if kind != wanted:
            said = kind[:100] or "of no type"
            raise Refusal(415, f"the body is {said}; send Content-Type: {wanted}", code="wrong_type")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise Refusal(400, "the Content-Length is no number", code="invalid_length")
        most = _largest(scope, self._settings.limits)
        if len(length) > _LONGEST_LENGTH or int(length) > most:
            raise too_large(most)

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        """Sets `hfgen.caller` (a short hash, for limits and the log) and, where callers bring one, `hfgen.token`."""
        settings = self._settings
        bearer = headers.get("authorization", "").partition(" ")[2].strip()
        token = bearer if settings.pass_through_token and bearer.startswith("hf_") else ""
        key = headers.get("x-api-key") or ("" if token else bearer)
        found = digest(key.encode("latin-1"))
        scope["hfgen.token"] = token or None
        scope["hfgen.caller"] = self._caller(found, token)
        path = own_path(scope)
        if scope["method"] in _READING and (path in _OPEN or path.startswith(_OPEN_BELOW)):
            return
        if settings.keys and not any_equal(found, settings.keys):
            words = "the API key is wrong" if key else "an API key is needed: Authorization: Bearer KEY"
            raise Refusal(401, f"{words}; it is the one that the gateway was started with", code="invalid_api_key")
        if settings.pass_through_token and not settings.keys and not token:
            # Else the gateway's own token would pay for whoever finds its address.
            words = "bring a Hugging Face token of your own: Authorization: Bearer hf_…"
            raise Refusal(401, words, code="invalid_api_key")

    def _caller(self, found: str, token: str) -> str:
        """Who shares one caller's limits: an open gateway has one caller, as each could call itself anything."""
        if token:
            found = digest(token.encode("latin-1"))
        return found[-12:] if token or self._settings.keys else ""


class Bounded:
    """Receives a body of at most some bytes in at most some seconds, in whatever form it is sent."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most = most
        self._seconds = seconds
        self._until = asyncio.get_running_loop().time() + seconds
        self._came = 0
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:  # whoever asks now waits for the caller to leave
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            words = f"the body did not come within {self._seconds:g} s"
            raise Refusal(408, words, code="slow_request") from None
        if message["type"] == "http.request":
            self._whole = not message.get("more_body", False)
            self._came += len(message.get("body", b""))
            if self._came > self._most:
                raise too_large(self._most)
        return message


def _largest(scope: Scope, limits: Limits) -> int:
    """Bytes of the body: files for batches are larger than requests."""
    return limits.file if own_path(scope) == FILES else limits.body


def _longest(scope: Scope, limits: Limits) -> float:
    """Seconds for the body, at the same pace."""
    return limits.body_time * max(1.0, _largest(scope, limits) / limits.body)


def too_large(most: int) -> Refusal:
    """The refusal of a body that is too large."""
    return Refusal(413, f"the body holds more than {most} bytes", code="body_too_large")


def host_of(said: str) -> str:
    """The host of a `Host` header: lower case, without its port and the dot of a complete name; "" for none."""
    name, colon, port = said.strip().lower().rpartition(":")
    if not colon or said.rstrip().endswith("]"):
        name, port = said.strip().lower(), "0"
    return name.removesuffix(".") if port.isdigit() else ""


def _is_address(host: str) -> bool:
    """An address is no name that a stranger's DNS server could let point here."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # a bracket that is never closed
        return ""


async def _preflight(send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (b"access-control-allow-headers", _ALLOWED_HEADERS),
        (b"access-control-max-age", b"600"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
