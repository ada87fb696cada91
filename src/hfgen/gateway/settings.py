"""What a gateway is told when it starts, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hfgen.gateway.keys import as_digests
from hfgen.limits import Limits as Patience
from hfgen.openai_api.bounds import Bounds


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caller may ask for at most.

    Attributes:
        body: Bytes of a request's body.
        body_time: Seconds until all of it has come.
        messages: Messages of a conversation.
        pictures: Pictures in a conversation, and pictures asked for in one request.
        max_tokens: The longest answer, in tokens; None for no ceiling.
        streams: Answers under way at once, for each key; None for no limit.
        per_minute: Requests a minute, for each key; None for no limit.
        connections: Open connections of the whole process: a thousand streams, and room for whoever watches over it.
        file: Bytes of a file for a batch.
    """

    body: int = 10 * 2**20
    body_time: float = 120.0
    messages: int = 2000
    pictures: int = 16
    max_tokens: int | None = None
    streams: int | None = None
    per_minute: int | None = None
    connections: int = 1024
    file: int = 200 * 2**20


@dataclass(frozen=True, slots=True)
class Settings:
    """How a gateway answers, and whom.

    Attributes:
        model: Answers a request that names none; "" for hfgen's own default.
        api_base: Servers of one's own that every request goes to; none for Hugging Face and the local model.
        upstream_key: For `api_base`, or the Hugging Face token; None for what huggingface_hub finds.
        names: A caller's name for a model, and the routes that stand in for each other: `local`, `owner/name:provider`.
        keys: Whoever calls must bring one of them; none for an open gateway, on loopback only. Only their digests are
            kept (`sha256:…`), which may also be given in their place.
        hosts: Names that a `Host` header may say beside this machine's own.
        public_url: Where callers reach it, for addresses of pictures: behind a proxy that speaks TLS no request shows
            that; "" for what each request says.
        public: Bound to more than loopback; then a `Host` header may also be any address.
        origins: Web pages that may call from a browser.
        pass_through_token: The caller's own key is a Hugging Face token, and is what goes upstream.
        batches: The folder of files and batches; None for none of either.
        pictures_kept: Bytes of pictures that are kept for an hour for whoever asks for their address; 0 for none.
        pictures_folder: Where they are kept, so that several processes can serve them; None for the memory of one.
            Nobody else may write into it, and whoever made it deletes it.
        image_urls: Pictures in conversations may be named by an address, which the server behind then fetches.
        limits: What a caller may ask for at most.
        patience: How long the server behind may be silent before the gateway asks it again, or gives up.
        shared_limits: The Redis in which several gateways count together (`redis://…`); "" for each alone.
        drain: Seconds that running answers get when the gateway is told to stop.
    """

    model: str = ""
    api_base: tuple[str, ...] = ()
    upstream_key: str | None = field(default=None, repr=False)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    keys: tuple[str, ...] = field(default=(), repr=False)
    hosts: tuple[str, ...] = ()
    public_url: str = ""
    public: bool = False
    origins: tuple[str, ...] = ()
    pass_through_token: bool = False
    batches: Path | None = None
    pictures_kept: int = 256 * 2**20
    pictures_folder: Path | None = None
    image_urls: bool = False
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    shared_limits: str = field(default="", repr=False)
    drain: float = 30.0

    def __post_init__(self) -> None:
        """Forget the keys themselves.

        Raises:
            UsageError: A key is empty.
        """
        object.__setattr__(self, "keys", as_digests(self.keys))

    @property
    def bounds(self) -> Bounds:
        """What one request may hold."""
        limits = self.limits
        return Bounds(limits.messages, limits.pictures, limits.max_tokens, self.image_urls)
