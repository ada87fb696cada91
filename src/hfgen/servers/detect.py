"""Which server answers at an address: a few GETs at once, judged by the shape of what comes, not by its status.

A server may answer 200 with a page for every path, and another may refuse all but one; neither is an error here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from hfgen.errors import ConnectionFailed, HfgenError
from hfgen.hub.catalogue import router_endpoint
from hfgen.hub.memory import Memory, fingerprint
from hfgen.limits import Limits
from hfgen.redaction import redact
from hfgen.servers.address import Address, parse_api_base
from hfgen.servers.tokenizer import forget_tokenizer
from hfgen.transport.session import Session
from hfgen.wire import ServerKind, Target, WireRequest, origin_of

__all__ = ["KNOWN", "Address", "ServerFacts", "detect", "forget", "parse_api_base"]

T = TypeVar("T")

_PATIENCE: Final = 3.0  # seconds for a probe; a server that is busy with a prompt answers none sooner
_LARGEST: Final = 4 * 2**20
_LIFETIME: Final = 600.0
_LIFETIME_UNKNOWN: Final = 10.0  # it may only be loading its model
_MOST_MODELS: Final = 1000

_NAMES: Final[Mapping[ServerKind, str]] = {
    "router": "Hugging Face router",
    "tgi": "TGI",
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "sglang": "SGLang",
    "transformers": "transformers serve",
    "toolkit": "Hugging Face inference toolkit",
    "openai": "OpenAI-like server",
    "unknown": "unknown server",
}


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself; empty where it says nothing.

    Attributes:
        kind: Which server it is.
        version: Its version.
        models: The names that it lists, in its order.
        context: Tokens that its model sees, prompt and answer together.
        chat_template: The template that it renders conversations with.
        bos_token: The token that begins a prompt.
        eos_token: The token that ends an answer.
        tool_template: The one for conversations with tools, where it is another.
        root: What its first model was loaded from: a name on the Hub, or a folder on its machine.
    """

    kind: ServerKind
    version: str = ""
    models: tuple[str, ...] = ()
    context: int | None = None
    chat_template: str = ""
    bos_token: str = ""
    eos_token: str = ""
    tool_template: str = ""
    root: str = ""

    @property
    def name(self) -> str:
        """What a person would call it."""
        return f"{_NAMES[self.kind]} {self.version}".strip()


class _Info(msgspec.Struct):
    """TGI (docs/openapi.json); text-embeddings-inference says the same but for the limit."""

    model_id: str
    max_total_tokens: int
    version: str = ""


class _Settings(msgspec.Struct):
    n_ctx: int = 0


class _Props(msgspec.Struct):
    """llama.cpp (tools/server/README.md); `n_ctx` is one slot's share of the context, which is what a request gets."""

    default_generation_settings: _Settings
    chat_template: str | None = None
    chat_template_tool_use: str | None = None
    bos_token: str | None = None
    eos_token: str | None = None
    build_info: str | None = None


class _Version(msgspec.Struct, forbid_unknown_fields=True):
    """vLLM says nothing else there."""

    version: str


class _Health(msgspec.Struct):
    status: str


class _Meta(msgspec.Struct):
    n_ctx: int | None = None


class _Model(msgspec.Struct):
    id: str
    owned_by: str | None = None
    root: str | None = None
    max_model_len: int | None = None
    meta: _Meta | None = None


class _Models(msgspec.Struct):
    """OpenAI's list; Ollama writes null for an empty one."""

    data: list[_Model] | None


# /info TGI; /props llama.cpp; /version vLLM; /health the toolkit; /v1/models everybody else, and who owns its models.
_PROBES: Final = ("/info", "/props", "/version", "/health", "/v1/models")

KNOWN: Final[Memory[tuple[str, str], ServerFacts]] = Memory(
    256, lambda facts: _LIFETIME_UNKNOWN if facts.kind == "unknown" else _LIFETIME
)
"""The servers that this process has met, by root and by who asked."""


async def detect(
    session: Session,
    address: Address,
    token: str | None = None,
    *,
    known: Memory[tuple[str, str], ServerFacts] = KNOWN,
) -> ServerFacts:
    """Find out which server is at an address, once in a while, by reading only.

    A server that cannot be told is `openai` where it lists models as OpenAI does, else `unknown`.

    Raises:
        ConnectionFailed: Nobody answers there.
    """
    if origin_of(address.root) == origin_of(router_endpoint()):
        return ServerFacts("router")
    return await known.get((address.root, fingerprint(token)), lambda: _find_out(session, address.root, token))


def forget(base: str) -> None:
    """Another server may answer at an address from now on: the next call finds out which.

    Args:
        base: The server's root, or an address below it.
    """
    for root, asker in KNOWN.known():
        if f"{base}/".startswith(f"{root}/"):
            KNOWN.forget((root, asker))
    forget_tokenizer(base)


async def _find_out(session: Session, root: str, token: str | None) -> ServerFacts:
    target = Target(root, token=token)
    answers = await asyncio.gather(*(_probe(session, target, path) for path in _PROBES))
    dead = [answer for answer in answers if isinstance(answer, ConnectionFailed)]
    if len(dead) == len(answers):
        raise dead[0].at(server=target.name)
    said = (b"" if isinstance(answer, HfgenError) else answer for answer in answers)
    return _judge(dict(zip(_PROBES, said, strict=True)))


async def _probe(session: Session, target: Target, path: str) -> bytes | HfgenError:
    request = WireRequest(target.url(path), method="GET", headers={"Accept": "application/json, text/plain"})
    limits = Limits(connect=_PATIENCE, first_token=_PATIENCE, idle=_PATIENCE)
    try:
        return (await session.fetch(request, target, limits, _LARGEST)).data
    except HfgenError as error:
        return error


def _judge(said: Mapping[str, bytes]) -> ServerFacts:
    """The server that alone says such things; routes that several have come last."""
    models = _read(said["/v1/models"], _Models)
    listed = (models.data or [])[:_MOST_MODELS] if models else []
    owner = listed[0].owned_by if listed else None
    version = _read(said["/version"], _Version)
    if info := _read(said["/info"], _Info):
        return ServerFacts("tgi", _shown(info.version), (info.model_id,), info.max_total_tokens)
    props = _read(said["/props"], _Props)
    if props or owner == "llamacpp":
        return _llamacpp(props, listed)
    if owner == "vllm" or (version and not models):  # with --api-key only /version is open
        return _like_openai("vllm", listed, _shown(version.version) if version else "")
    if owner == "sglang":
        return _like_openai("sglang", listed)
    if said["/health"].strip(b'" \r\n') == b"Ok":
        return ServerFacts("toolkit")
    if not models:
        return ServerFacts("unknown")
    health = _read(said["/health"], _Health)
    empty = not listed and health is not None and health.status == "ok"  # it loads whatever model is asked for
    return ServerFacts("transformers") if empty else _like_openai("openai", listed)


def _llamacpp(props: _Props | None, listed: list[_Model]) -> ServerFacts:
    names = tuple(model.id for model in listed)
    if props is None:  # a proxy may let only /v1 through
        meta = listed[0].meta
        return ServerFacts("llamacpp", models=names, context=meta.n_ctx if meta else None)
    return ServerFacts(
        kind="llamacpp",
        version=_shown(props.build_info or ""),
        models=names,
        context=props.default_generation_settings.n_ctx or None,
        chat_template=props.chat_template or "",
        tool_template=props.chat_template_tool_use or "",
        bos_token=props.bos_token or "",
        eos_token=props.eos_token or "",
    )


def _like_openai(kind: ServerKind, listed: list[_Model], version: str = "") -> ServerFacts:
    names = tuple(model.id for model in listed)
    if not listed:
        return ServerFacts(kind, version, names)
    return ServerFacts(kind, version, names, listed[0].max_model_len, root=listed[0].root or "")


def _read(data: bytes, kind: type[T]) -> T | None:
    """What a route said, or None where it is not of this shape."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _shown(version: str) -> str:
    """A version as errors may show it: short, on one line."""
    return redact("".join(letter for letter in version[:200] if letter.isprintable()))[:40]
