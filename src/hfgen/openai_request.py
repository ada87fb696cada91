"""The part of a request that OpenAI's two routes share: how the next token is drawn, and which server takes what."""

from collections.abc import Mapping
from typing import Any, Final

from hfgen.asked import given
from hfgen.generation import Generation
from hfgen.wire import ServerKind

HEADERS: Final = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}

_OPENAI: Final = frozenset(
    {"temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "logprobs"}
)
_ENGINE: Final = _OPENAI | {"top_k", "min_p", "repetition_penalty"}
# What each server takes: vLLM entrypoints/openai/protocol.py, llama.cpp tools/server/README.md, TGI router/src/lib.rs,
# transformers commands/serving.py (it ignores the rest, or refuses it with a 422).
_TAKES: Final[Mapping[ServerKind, frozenset[str]]] = {
    "vllm": _ENGINE,
    "sglang": _ENGINE,
    "llamacpp": _ENGINE,
    "transformers": frozenset({"temperature", "top_p", "seed", "stop", "frequency_penalty"}),
}
_ENGINES: Final[frozenset[ServerKind]] = frozenset({"vllm", "sglang", "llamacpp", "transformers"})
_LEFT_TO_ROUTE: Final = frozenset({"logprobs"})
_MOST_STOPS: Final = 4  # of TGI (launcher, --max-stop-sequences) and OpenAI; the rest is matched by the client


def taken_by(kind: ServerKind) -> frozenset[str]:
    """The sampling options that a server takes on an OpenAI route."""
    return _TAKES.get(kind, _OPENAI)


def sampling(generation: Generation, kind: ServerKind, takes: frozenset[str]) -> dict[str, Any]:
    """The sampling part of the body, without what the server does not take.

    Temperature 0 is greedy on every server of this family. TGI refuses a `top_p` of 0 or 1 (validation.rs): 1 is what
    it does anyway, and 0 leaves one token to choose from, which is greedy. `logprobs` is left to the route.
    """
    body = {name: value for name, value in given(generation).items() if name in takes and name not in _LEFT_TO_ROUTE}
    if kind == "tgi" and body.get("top_p") in (0, 1):
        body |= {"temperature": 0} if body.pop("top_p") == 0 else {}
    if "stop" in body and kind not in _ENGINES:
        body["stop"] = body["stop"][:_MOST_STOPS]
    if "repetition_penalty" in body and kind == "llamacpp":
        body["repeat_penalty"] = body.pop("repetition_penalty")
    if generation.sampling.max_tokens is not None:
        body["max_tokens"] = generation.sampling.max_tokens
    return body
