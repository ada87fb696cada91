"""Who may call: the gateway's door, passed before any route, any key and any file.

A web page of a stranger can reach a server on this machine through the browser of the person who sits there: by a name
of its own that it lets point here (DNS rebinding), or by a request that needs no leave (CSRF). `Host`, `Origin` and the
type of the body tell such a request from an honest one.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hfgen.gateway.refusal import Refusal
from hfgen.gateway.settings import Settings

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_MOST_HEADERS: Final = 32 * 2**10
# What needs no key: whether the process lives, and the page, which asks for the key itself.
_OPEN: Final = frozenset({"/health", "/ready", "/"})
_OPEN_BELOW: Final = "/playground/"
_ALLOWED_HEADERS: Final = b"authorization, content-type, x-api-key"


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
        self._keys = [digest(key) for key in settings.keys]

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
        if origin and scope["method"] == "OPTIONS":
            await _preflight(send, origin)
            return
        self._check_body(scope, headers)
        self._check_key(scope, headers)
        bounded = Bounded(receive, self._settings.limits.body)
        await self._app(scope, bounded, _shared_with(send, origin) if origin else send)

    def _check_host(self, said: list[str]) -> None:
        host = host_of(said[0]) if len(said) == 1 else ""
        if host not in self._hosts and not (self._settings.public and _is_address(host)):
            raise Refusal(421, "the Host header names no host of this gateway; see --allow-host", code="unknown_host")

    def _checked_origin(self, headers: Headers) -> str:
        """The origin of the page that calls, "" where none does or it is the gateway's own."""
        origin = headers.get("origin")
        if origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower():
            return ""
        if origin not in self._settings.origins:
            raise Refusal(403, f"pages of {origin[:200]} may not call here; see --allow-origin", code="unknown_origin")
        return origin

    def _check_body(self, scope: Scope, headers: Headers) -> None:
        if scope["method"] != "POST":
            return
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("application/json", "multipart/form-data"):
            raise Refusal(
                415, f"the body is {kind or 'of no type'}; send Content-Type: application/json", code="no_json"
            )
        if kind == "multipart/form-data" and not scope["path"].startswith("/v1/files"):
            raise Refusal(415, "only /v1/files takes a form; send Content-Type: application/json", code="no_json")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._settings.limits.body:
            raise too_large(self._settings.limits.body)

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        """Sets `hfgen.caller` (a short hash, for limits and the log) and, where callers bring one, `hfgen.token`."""
        settings = self._settings
        bearer = headers.get("authorization", "").partition(" ")[2].strip()
        token = bearer if settings.pass_through_token and bearer.startswith("hf_") else ""
        key = headers.get("x-api-key") or ("" if token else bearer)
        found = digest(key)
        scope["hfgen.token"] = token or None
        scope["hfgen.caller"] = digest(token or key).hex()[:12]
        path: str = scope["path"]
        if not self._keys or path in _OPEN or path.startswith(_OPEN_BELOW):
            return
        if not _any_equal(found, self._keys):
            words = "the API key is wrong" if key else "an API key is needed: Authorization: Bearer KEY"
            raise Refusal(401, f"{words}; it is the one that the gateway was started with", code="invalid_api_key")


class Bounded:
    """Receives a body of at most some bytes, in whatever form it is sent."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._came = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._came += len(message.get("body", b""))
            if self._came > self._most:
                raise too_large(self._most)
        return message


def too_large(most: int) -> Refusal:
    """The refusal of a body that is too large."""
    return Refusal(413, f"the body holds more than {most} bytes", code="body_too_large")


def host_of(said: str) -> str:
    """The host of a `Host` header: lower case, without its port and the dot of a complete name; "" for none."""
    name, colon, port = said.strip().lower().rpartition(":")
    if not colon or said.rstrip().endswith("]"):
        name, port = said.strip().lower(), "0"
    return name.removesuffix(".") if port.isdigit() else ""


def digest(key: str) -> bytes:
    """What is kept and compared in place of a key: equal in length for all, and no key in memory dumps."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _any_equal(found: bytes, known: Iterable[bytes]) -> bool:
    """Compares with every key, so that the time tells nothing."""
    return bool(sum(hmac.compare_digest(found, each) for each in known))


def _is_address(host: str) -> bool:
    """An address is no name that a stranger's DNS server could let point here."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


async def _preflight(send: Send, origin: str) -> None:
    headers = [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", _ALLOWED_HEADERS),
        (b"access-control-max-age", b"600"),
        (b"vary", b"Origin"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _shared_with(send: Send, origin: str) -> Send:
    async def shared(message: Message) -> None:
        if message["type"] == "http.response.start":
            more = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return shared
