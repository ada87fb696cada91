"""How many tokens a text is: the server's own count, else the tokenizer's file if it is here, else an estimate."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from hfgen.errors import HfgenError, ServerError
from hfgen.limits import Limits
from hfgen.prompts.budget import estimate
from hfgen.transport.session import Session
from hfgen.wire import Target, WireRequest


class Count(NamedTuple):
    """How many tokens, and whether nobody counted them."""

    tokens: int
    estimated: bool = False


Counter: TypeAlias = Callable[[str], Awaitable[Count]]

_PATIENCE: Final = Limits(connect=5.0, first_token=20.0, idle=20.0)


class _Tokens(msgspec.Struct):
    """llama.cpp (tools/server/README.md) and vLLM (entrypoints/openai/protocol.py)."""

    tokens: list[Any]


def counter_of(target: Target, model: str, session: Session) -> Counter:
    """Counts the tokens of rendered prompts, asking whoever knows best."""

    async def count(text: str) -> Count:
        if target.kind in {"llamacpp", "tgi", "vllm"}:
            try:
                return await _asked(text, target, session)
            except HfgenError:  # an old build, or a proxy that lets only /v1 through
                pass
        return await asyncio.to_thread(_counted_here, text, model)

    return count


async def _asked(text: str, target: Target, session: Session) -> Count:
    bodies: dict[str, dict[str, Any]] = {
        "llamacpp": {"content": text, "add_special": False, "parse_special": True},
        "tgi": {"inputs": text, "add_special_tokens": False},
        "vllm": {"model": target.model, "prompt": text, "add_special_tokens": False},
    }
    request = WireRequest(
        f"{target.base.removesuffix('/v1')}/tokenize",
        msgspec.json.encode(bodies[target.kind]),
        headers={"Content-Type": "application/json"},
    )
    answer = await session.fetch(request, target, _PATIENCE)
    try:
        tokens = msgspec.json.decode(answer.data, type=list[Any] | _Tokens)  # TGI answers with the list itself
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(f"{target.name} counts tokens in a way of its own") from error
    return Count(len(tokens.tokens if isinstance(tokens, _Tokens) else tokens))


def _counted_here(text: str, model: str) -> Count:
    """By `tokenizer.json` in the Hub's cache and the `tokenizers` package, where both are here."""
    try:
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - heavy, and rarely needed

        file = try_to_load_from_cache(model, "tokenizer.json") if "/" in model else None
        if not isinstance(file, str):
            return Count(estimate(text), estimated=True)
        tokenizer: Any = import_module("tokenizers").Tokenizer.from_file(file)
        return Count(len(tokenizer.encode(text, add_special_tokens=False).ids))
    except Exception:  # noqa: BLE001 - not installed, a damaged file, an odd name: an estimate does
        return Count(estimate(text), estimated=True)
