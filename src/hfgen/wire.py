"""What passes between a dialect and the network: an address, a request, and what comes back.

All values. A dialect makes a `WireRequest` for a `Target`; an `Exchange` sends it and hands back `Frame`s, which the
dialect reads.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from hfgen.events import Event
from hfgen.limits import Limits

ServerKind: TypeAlias = Literal[
    "router", "tgi", "vllm", "llamacpp", "sglang", "transformers", "toolkit", "openai", "unknown"
]


@lru_cache(maxsize=256)
def origin_of(url: str) -> str:
    """Scheme, host and port: what a token belongs to (RFC 6454)."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = parts.port if parts.port not in (None, default) else None
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port}" if port else f"{parts.scheme}://{host}"


class Target(msgspec.Struct, frozen=True):
    """Where a request goes and as whom.

    Attributes:
        base: The URL that a dialect's path is appended to, without a trailing slash.
        kind: Which server answers there.
        model: The model's name on this server's wire.
        provider: The Inference Provider behind a router, "" where none is.
        adapter: A LoRA: its name where TGI has it beside its one model, or at a provider the file of its weights in the
            model's repository; "" for the model itself.
        token: Sent to this target's origin only; never shown.
        headers: Further headers of every request to this target.
        path: The full path given by the user in place of the dialect's own, or "".
        label: What a person would call this server.
    """

    base: str
    kind: ServerKind = "openai"
    model: str = ""
    token: str | None = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    path: str = ""
    label: str = ""
    adapter: str = ""
    provider: str = ""

    def __repr__(self) -> str:
        """Without the token, and without headers, which may hold another."""
        return f"Target({self.base!r}, kind={self.kind!r}, model={self.model!r}, label={self.label!r})"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return origin_of(self.base)

    @property
    def name(self) -> str:
        """How errors name the server."""
        return self.label or self.origin

    def url(self, path: str) -> str:
        """The address of `path` on this target; a full path given by the user wins."""
        return self.base + (self.path or path)


LARGEST_TEXT: Final = 16 * 2**20
"""Bytes of an answer in words: far more than any model says."""


class WireRequest(msgspec.Struct, frozen=True):
    """One HTTP request, complete but for the token, which the transport adds for the target's own origin."""

    url: str
    """Whole, or from `/` on: then it stands below the target's base (a job that is asked for by its path)."""
    body: bytes | None = None
    method: Literal["GET", "POST", "PUT", "DELETE"] = "POST"
    headers: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    delay: float = 0.0
    """Seconds to wait before sending: a job that is polled."""
    dropped: tuple[str, ...] = ()
    """Options of the call that this server would ignore or refuse, so that they were left out; the caller is told."""
    largest: int = 64 * 2**20
    """Bytes of a body that is no event stream; more are not read. Pictures are large."""
    cancel: "WireRequest | None" = None
    """Sent when the caller leaves while this one is waited for: it ends the job at the server."""
    stays: bool = False
    """Whether no redirect takes it to another origin: its address came over the wire."""


def named(request: WireRequest, key: str) -> WireRequest:
    """The request under a name by which a server knows it again when it is repeated; as it is where there is none."""
    return replace(request, headers={**request.headers, "Idempotency-Key": key}) if key else request


class Head(NamedTuple):
    """How an answer begins, a success or an error: its headers tell the server's limits.

    Attributes:
        origin: Who answered: scheme, host and port.
        model: The name, on the wire, of the model that was asked for, "" where the request is for none.
        status: The HTTP status.
        headers: Their names in any case.
    """

    origin: str
    model: str
    status: int
    headers: Mapping[str, str]


Heard: TypeAlias = Callable[[Head], None]
"""Told of each answer's head."""


@dataclass(frozen=True, slots=True)
class Again:
    """The job still runs: the same request once more, after some seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class PictureAt:
    """A picture that is ready at an address, which is fetched at once, without the token."""

    url: str
    """The address, or what should be the picture itself, as a data URL or in base64."""
    seed: int | None = None
    revised_prompt: str = ""


class Named(NamedTuple):
    """A server-sent event with an event name of its own (`event: error`)."""

    name: str
    data: bytes


class Body(NamedTuple):
    """The whole body of an answer that is not an event stream."""

    media_type: str
    data: bytes


Frame: TypeAlias = bytes | Named | Body
"""`bytes` is the data field of a plain server-sent event."""


class Whole(NamedTuple):
    """All of the answer's text once more, told with its end: it counts only where none of it came before."""

    text: str


class Marker(Enum):
    """What a dialect reads that is no event of its own."""

    END = "end"
    """The server says that nothing more comes (`[DONE]`)."""


END: Final = Marker.END

Item: TypeAlias = Event | WireRequest | Again | PictureAt | Whole | Marker
"""What a dialect reads out of a frame."""


class Answer(Protocol):
    """An answer whose head has come and was a success."""

    status: int
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str:
        """The server's own name for the request, "" where it gives none."""
        ...

    @property
    def over(self) -> bool:
        """Whether the whole body has come, so that its connection is free."""
        ...

    async def read(self) -> Sequence[Frame]:
        """The frames that have arrived, at least one; none at the end of the body."""
        ...

    def bare(self) -> None:
        """What was read last held no payload: its sender lives no longer for it than for a comment."""
        ...


class Exchange(Protocol):
    """The one door to the network; a test double implements it in a few lines."""

    def open(self, request: WireRequest, target: Target, limits: Limits) -> AbstractAsyncContextManager[Answer]:
        """Send the request; leaving the context closes the connection unless the answer was read to its end.

        Raises:
            HfgenError: No answer, none in time, or one that is an error (an error status, read to the end).
        """
        ...

    async def download(self, url: str, target: Target, limits: Limits, most: int) -> bytes:
        """What lies at an address that came over the wire, without the token of any other origin.

        Raises:
            HfgenError: Nothing comes, more than `most` bytes, or nothing may be fetched there.
        """
        ...
