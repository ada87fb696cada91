"""What a user gives as `api_base`, read: a server's root, and the API if the path names one."""

import ipaddress
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

from hfgen.errors import UsageError
from hfgen.hub.catalogue import router_endpoint
from hfgen.wire import origin_of

Api: TypeAlias = Literal["", "chat", "completions", "tgi", "toolkit", "images"]

_EXAMPLE: Final = "Give the server's address, such as http://127.0.0.1:8080 or https://example.org/v1."
_RETIRED: Final = "api-inference.huggingface.co"  # answers 410 since 2025
# The routes of the servers that hfgen speaks to (PROTOCOL: TGI router/src/server.rs, OpenAI, the transformers toolkit).
_APIS: Final[tuple[tuple[re.Pattern[str], Api], ...]] = (
    (re.compile(r"(?:/v1)?/chat/completions$"), "chat"),
    (re.compile(r"(?:/v1)?/completions$"), "completions"),
    (re.compile(r"(?:/v1)?/images/generations$"), "images"),
    (re.compile(r"/(?:generate|generate_stream|invocations)$"), "tgi"),
    (re.compile(r"(?<!/v1)/models/[^/]+(?:/[^/]+)?$"), "tgi"),
    (re.compile(r"/predict$"), "toolkit"),
    (re.compile(r"/v1(?:/models)?$"), ""),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        root: Origin and prefix, without `/v1` and without a trailing slash.
        path: The full path of an API below the root, where one was given, or "".
        api: The API that the path names, or "".
    """

    root: str
    path: str = ""
    api: Api = ""


def parse_api_base(url: str) -> Address:
    """Read an `api_base`: a server's root, its `/v1`, or the full path of one API. Nothing is asked of the network.

    Raises:
        UsageError: It is no address of an HTTP server, or carries what belongs elsewhere.
    """
    parts = _split(url.strip())
    return _address(_moved(parts) if parts.hostname == _RETIRED else parts)


@lru_cache(maxsize=256)
def _address(parts: SplitResult) -> Address:
    origin = origin_of(parts.geturl())
    whole = parts.path.rstrip("/")
    for pattern, api in _APIS:
        found = pattern.search(whole)
        if found:
            return Address(origin + whole[: found.start()].rstrip("/"), found[0] if api else "", api)
    return Address(origin + whole)


@lru_cache(maxsize=256)
def _split(text: str) -> SplitResult:
    if re.search(r"[\s\\<>\"]|[^\x20-\x7e]", text):  # urlsplit would drop line ends without a word
        raise UsageError("api_base is no address", hint=_EXAMPLE)
    if "://" not in text:
        text = f"http://{_host_with_port(text)}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UsageError("api_base is no address", hint=_EXAMPLE) from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise UsageError("api_base holds a user name or a password", hint="Leave them out; give api_key= for a token.")
    if parts.scheme not in ("http", "https"):
        raise UsageError(f"api_base is {parts.scheme}://: only http:// and https:// are spoken", hint=_EXAMPLE)
    if not parts.hostname or port == 0:
        raise UsageError("api_base is no address", hint=_EXAMPLE)
    if "?" in text or "#" in text:
        raise UsageError(
            "api_base ends in a query or a fragment, which no request would keep",
            hint="Leave out what follows ? or #; a model is named with model=, a key with api_key=.",
        )
    return parts


def _host_with_port(text: str) -> str:
    """A bare name without a port could be anything, and a token must not go out in the clear by a guess."""
    host = text.partition("/")[0]
    name = host.partition(":")[0]
    if re.fullmatch(r".+:\d+", host) or name == "localhost" or _is_ip(host):
        return text
    raise UsageError("api_base names neither http:// nor https://", hint=_EXAMPLE)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _moved(parts: SplitResult) -> SplitResult:
    """The same route at the router: models live under /hf-inference there, the OpenAI API at its root."""
    warnings.warn(
        f"https://{_RETIRED} is no longer in service: {router_endpoint()} is asked in its place. "
        "Leave api_base out, or give the new address.",
        UserWarning,
        stacklevel=3,
    )
    router = urlsplit(router_endpoint())
    prefix = "/hf-inference" if parts.path.startswith("/models/") else ""
    return router._replace(path=router.path.rstrip("/") + prefix + parts.path)
