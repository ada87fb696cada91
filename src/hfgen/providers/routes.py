"""Who speaks what, as rows: a server or provider is added by one row here and, if it is new, one dialect."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from hfgen.dialects import (
    fal,
    hf_image,
    nscale,
    openai_chat,
    openai_completions,
    openai_images,
    replicate,
    tgi,
    together,
    toolkit,
    wavespeed,
    zai,
)
from hfgen.generation import Generation
from hfgen.wire import Frame, Item, ServerKind, Target, WireRequest

Want: TypeAlias = Literal["chat", "raw", "image"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A language: how to ask in it, how to read it."""

    name: str
    encode: Callable[[Generation, Target], WireRequest]
    decode: Callable[[Frame], Sequence[Item]]
    raw: bool = False
    """Whether it sends a prompt that hfgen rendered, in place of the messages."""
    paints: bool = False
    """Whether its prompt says what a picture shows."""
    takes_tokens: bool = False
    """Whether numbers of tokens may follow the prompt."""
    most: int = 1
    """How many pictures one request makes; more are asked for side by side. One, where a request takes a seed: each
    picture then has its own."""
    seeds: bool = False
    """Whether every server of it takes a seed: where none is given, hfgen draws one."""
    writes_bos: bool = False
    """Whether the prompt keeps its BOS; False where the server puts one in front of every raw prompt."""


CHAT: Final = Dialect("openai_chat", openai_chat.encode, openai_chat.decode)
COMPLETIONS: Final = Dialect(
    "openai_completions", openai_completions.encode, openai_completions.decode, raw=True, takes_tokens=True
)
# vLLM alone takes `add_special_tokens: false` on /v1/completions, so there the prompt brings its own BOS.
COMPLETIONS_WITH_BOS: Final = Dialect(
    "openai_completions", openai_completions.encode, openai_completions.decode, raw=True, writes_bos=True
)
TGI: Final = Dialect("tgi", tgi.encode, tgi.decode, raw=True)
TOOLKIT: Final = Dialect("toolkit", toolkit.encode, toolkit.decode, raw=True)
HF_IMAGE: Final = Dialect("hf_image", hf_image.encode, hf_image.decode, paints=True, seeds=True)
OPENAI_IMAGES: Final = Dialect("openai_images", openai_images.encode, openai_images.decode, paints=True, most=10)
# vLLM and SGLang take a seed there, which one request has one of.
DIFFUSION_IMAGES: Final = replace(OPENAI_IMAGES, most=1, seeds=True)
FAL: Final = Dialect("fal", fal.encode, fal.decode, paints=True, seeds=True)
TOGETHER: Final = Dialect("together", together.encode, together.decode, paints=True, seeds=True)
NSCALE: Final = Dialect("nscale", nscale.encode, nscale.decode, paints=True, most=4)
REPLICATE: Final = Dialect("replicate", replicate.encode, replicate.decode, paints=True)
WAVESPEED: Final = Dialect("wavespeed", wavespeed.encode, wavespeed.decode, paints=True)
ZAI: Final = Dialect("zai", zai.encode, zai.decode, paints=True)


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the model: the language, and the address."""

    dialect: Dialect
    target: Target


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind of server is spoken to; `base` is what stands between its root and the dialect's own path."""

    dialect: Dialect
    base: str = ""
    kind: ServerKind = "router"
    """What answers behind the router, where that differs."""
    path: str = ""
    """In place of the dialect's own path; `{id}` is the model's name there."""


# Server kinds as `servers.detect` names them. The absence of a row is the "no".
SERVERS: Final[Mapping[tuple[ServerKind, Want], Row]] = {
    ("router", "chat"): Row(CHAT, "/v1"),
    ("tgi", "chat"): Row(CHAT, "/v1"),
    ("tgi", "raw"): Row(TGI),
    ("vllm", "chat"): Row(CHAT, "/v1"),
    ("vllm", "raw"): Row(COMPLETIONS_WITH_BOS, "/v1"),
    ("vllm", "image"): Row(DIFFUSION_IMAGES, "/v1"),
    ("llamacpp", "chat"): Row(CHAT, "/v1"),
    ("llamacpp", "raw"): Row(COMPLETIONS, "/v1"),
    ("sglang", "chat"): Row(CHAT, "/v1"),
    ("sglang", "raw"): Row(COMPLETIONS, "/v1"),
    ("sglang", "image"): Row(DIFFUSION_IMAGES, "/v1"),
    ("transformers", "chat"): Row(CHAT, "/v1"),
    ("toolkit", "raw"): Row(TOOLKIT),
    ("toolkit", "image"): Row(HF_IMAGE, "/"),
    ("openai", "chat"): Row(CHAT, "/v1"),
    ("openai", "raw"): Row(COMPLETIONS, "/v1"),
    ("openai", "image"): Row(OPENAI_IMAGES, "/v1"),
    ("unknown", "chat"): Row(CHAT, "/v1"),
    ("unknown", "raw"): Row(COMPLETIONS, "/v1"),
    ("unknown", "image"): Row(OPENAI_IMAGES, "/v1"),
}

# The API that a full path names; it decides the dialect whatever the server is.
PATHS: Final[Mapping[str, Dialect]] = {
    "chat": CHAT,
    "completions": COMPLETIONS,
    "tgi": TGI,
    "toolkit": TOOLKIT,
    "images": OPENAI_IMAGES,
}

# Providers behind the router that take a raw prompt, and the base of their OpenAI-like API there
# (huggingface_hub, inference/_providers/*.py). hf-inference speaks TGI's language under /models/{id}.
RAW_PROVIDERS: Final[Mapping[str, Row]] = {
    "featherless-ai": Row(COMPLETIONS, "/featherless-ai/v1"),
    "together": Row(COMPLETIONS, "/together/v1"),
    "novita": Row(COMPLETIONS, "/novita/v3/openai"),
    "deepinfra": Row(COMPLETIONS, "/deepinfra/v1/openai"),
    "hf-inference": Row(TGI, "/hf-inference/models", "tgi", "/{id}"),
}

# Providers behind the router that paint, and where (huggingface_hub, inference/_providers/*.py).
IMAGE_PROVIDERS: Final[Mapping[str, Row]] = {
    "fal-ai": Row(FAL, "/fal-ai"),
    "hf-inference": Row(HF_IMAGE, "/hf-inference/models", "router", "/{id}"),
    "nscale": Row(NSCALE, "/nscale/v1"),
    "replicate": Row(REPLICATE, "/replicate"),
    "together": Row(TOGETHER, "/together/v1"),
    "wavespeed": Row(WAVESPEED, "/wavespeed"),
    "zai-org": Row(ZAI, "/zai-org"),
}
