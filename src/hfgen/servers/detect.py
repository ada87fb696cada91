"""Which server is behind an address, and what it says of itself: found out once, by asking and never by posting."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from hfgen.errors import ConnectionFailed, HfgenError, MissingAuth, TimedOut
from hfgen.limits import Limits
from hfgen.servers.address import Address, parse_api_base
from hfgen.transport.session import Session
from hfgen.wire import ServerKind, Target, WireRequest

__all__ = ["Address", "ServerFacts", "detect", "parse_api_base"]

_LIMITS: Final = Limits(connect=5.0, first_token=3.0, idle=3.0)
_PROBES: Final = ("/props", "/info", "/version", "/v1/models", "/health")
_LARGEST: Final = 4 * 2**20
_SECONDS: Final = 600.0
_MOST: Final = 256
_NAMES: Final[Mapping[ServerKind, str]] = {
    "router": "Hugging Face router",
    "tgi": "TGI",
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "sglang": "SGLang",
    "transformers": "transformers serve",
    "toolkit": "Hugging Face inference toolkit",
    "openai": "OpenAI-like server",
    "unknown": "server",
}


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself; "" and None for what it does not say."""

    kind: ServerKind = "unknown"
    version: str = ""
    models: tuple[str, ...] = ()
    context: int | None = None
    chat_template: str = ""
    bos_token: str = ""
    eos_token: str = ""

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{_NAMES[self.kind]} {self.version}".rstrip()


_known: OrderedDict[tuple[str, str], tuple[float, ServerFacts]] = OrderedDict()


async def detect(session: Session, address: Address, token: str | None = None) -> ServerFacts:
    """What answers at an address; remembered for ten minutes.

    Raises:
        ConnectionFailed: Nobody answers there.
        TimedOut: No connection in time.
    """
    key = (address.root, hashlib.sha256((token or "").encode()).hexdigest()[:16])
    known = _known.get(key)
    if known is not None and time.monotonic() - known[0] < _SECONDS:
        return known[1]
    target = Target(address.root, kind="unknown", token=token)
    if target.origin == "https://router.huggingface.co":
        return ServerFacts("router")
    answers = await asyncio.gather(*(_ask(session, target, path) for path in _PROBES))
    heard = [answer for answer in answers if not isinstance(answer, HfgenError)]
    lost = [answer for answer in answers if isinstance(answer, (ConnectionFailed, TimedOut))]
    if len(lost) == len(_PROBES):
        raise lost[0]
    facts = recognise(dict(zip(_PROBES, (b"" if isinstance(a, HfgenError) else a for a in answers), strict=True)))
    if heard:  # a server that is only starting is asked again
        _known[key] = (time.monotonic(), facts)
        while len(_known) > _MOST:
            _known.popitem(last=False)
    return facts


async def _ask(session: Session, target: Target, path: str) -> bytes | HfgenError:
    try:
        return (await session.fetch(WireRequest(target.url(path), method="GET"), target, _LIMITS, _LARGEST)).data
    except MissingAuth as error:
        return error
    except HfgenError as error:
        return error


def recognise(answers: Mapping[str, bytes]) -> ServerFacts:
    """The server that gives these answers, by their shape: many servers answer any path with some page."""
    props, info, version = (_dict(answers.get(path, b"")) for path in ("/props", "/info", "/version"))
    listed = _dict(answers.get("/v1/models", b"")).get("data")
    models = [_as_dict(item) for item in cast("list[object]", listed if isinstance(listed, list) else [])]
    names = tuple(name for item in models if (name := _str(item.get("id"))))
    owner = _str(models[0].get("owned_by")) if models else ""
    if "default_generation_settings" in props or owner == "llamacpp":
        return _llamacpp(props, names)
    if _str(info.get("model_id")) and ("router" in info or "max_concurrent_requests" in info or "version" in info):
        context = info.get("max_total_tokens")
        return ServerFacts(
            "tgi",
            _str(info.get("version")),
            (_str(info.get("model_id")),),
            context if isinstance(context, int) else None,
        )
    if owner == "vllm" or (owner == "" and _str(version.get("version")) and models):
        context = models[0].get("max_model_len") if models else None
        return ServerFacts("vllm", _str(version.get("version")), names, context if isinstance(context, int) else None)
    if owner == "sglang":
        return ServerFacts("sglang", "", names)
    health = answers.get("/health", b"")
    if not models and health.strip() == b"Ok":
        return ServerFacts("toolkit")
    if isinstance(listed, list):
        return ServerFacts("transformers" if owner == "transformers" else "openai", "", names)
    return ServerFacts()


def _llamacpp(props: dict[str, Any], names: tuple[str, ...]) -> ServerFacts:
    settings = _as_dict(props.get("default_generation_settings"))
    context = settings.get("n_ctx")
    return ServerFacts(
        "llamacpp",
        _str(props.get("build_info")),
        names,
        context if isinstance(context, int) else None,
        _str(props.get("chat_template")),
        _str(props.get("bos_token")),
        _str(props.get("eos_token")),
    )


def _dict(data: bytes) -> dict[str, Any]:
    try:
        return _as_dict(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _as_dict(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""
