"""An `api_base` as people write it: a server's root, its `/v1`, or the full path of one route."""

import re
import warnings
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from hfgen.errors import UsageError

Api: TypeAlias = Literal["", "chat", "completions", "tgi", "toolkit", "images"]

_RETIRED: Final = "api-inference.huggingface.co"
_ROUTER: Final = "https://router.huggingface.co"
# A route's own path, the longest first; what stands before it is the server's root.
_ROUTES: Final[tuple[tuple[str, Api], ...]] = (
    ("/v1/chat/completions", "chat"),
    ("/v1/images/generations", "images"),
    ("/v1/completions", "completions"),
    ("/chat/completions", "chat"),
    ("/images/generations", "images"),
    ("/completions", "completions"),
    ("/generate_stream", "tgi"),
    ("/generate", "tgi"),
    ("/predict", "toolkit"),
    ("/v1", ""),
)
_MODEL_ROUTE: Final = re.compile(r"/models/[^/]+(/[^/]+)?$")


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and the route on it where the caller named one.

    Attributes:
        root: What stands before the API's own paths, without a trailing slash.
        path: The path after the root that the caller gave, or "".
        api: The API which that path names, or "".
    """

    root: str
    path: str = ""
    api: Api = ""


def parse_api_base(url: str) -> Address:
    """Read an `api_base`.

    Raises:
        UsageError: It is no http(s) address, or holds what does not belong into one.
    """
    text = url.strip().rstrip("/")
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"api_base={url!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UsageError(f"api_base={url!r} is no address", hint="Give one such as http://127.0.0.1:8080.")
    if parts.username or parts.password:
        raise UsageError("api_base= holds a user name or a password", hint="Give the key as api_key=.")
    if parts.query or parts.fragment:
        raise UsageError(
            f"api_base= ends with {parts.query or parts.fragment!r}", hint="Leave out all behind the path."
        )
    if parts.hostname == _RETIRED:
        text = _moved(parts.path)
    return _split(text)


def _split(text: str) -> Address:
    for ending, api in _ROUTES:
        if text.endswith(ending) and urlsplit(text).path.endswith(ending):
            root = text[: -len(ending)]
            return Address(root, ending, api) if api else Address(root)
    if _MODEL_ROUTE.search(urlsplit(text).path):
        root = text[: _MODEL_ROUTE.search(text).start()]  # type: ignore[union-attr]
        return Address(root, text[len(root) :], "tgi")
    return Address(text)


def _moved(path: str) -> str:
    """The router's address of a path on the host that is gone (it answers 410)."""
    warnings.warn(
        f"{_RETIRED} is switched off: asking {_ROUTER} instead; leave api_base out", DeprecationWarning, stacklevel=4
    )
    return f"{_ROUTER}/hf-inference{path}" if path.startswith("/models/") else _ROUTER
