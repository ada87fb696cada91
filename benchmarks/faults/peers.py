"""The clients people use, as one call each: what they raise of their own counts as a clean error."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

SILENCE = 2.0  # seconds; what hfgen is given for a first token (1.5 between tokens)
Call: TypeAlias = Callable[[str, str, str, int | None], AsyncIterator[str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A client, the dialect it speaks here, and the errors that are its own."""

    name: str
    dialect: str
    call: Call
    own: tuple[type[BaseException], ...]


def openai() -> Peer:
    from openai import AsyncOpenAI, OpenAIError  # noqa: PLC0415 - what does not install is left out

    async def call(base: str, key: str, prompt: str, most: int | None) -> AsyncIterator[str]:
        base = base.removesuffix("/chat/completions")
        async with AsyncOpenAI(base_url=base, api_key=key, timeout=SILENCE) as client:
            asked: dict[str, Any] = {"model": "fault", "messages": question(prompt), "temperature": 0, "stream": True}
            async for chunk in await client.chat.completions.create(max_tokens=most, **asked):
                yield chunk.choices[0].delta.content or "" if chunk.choices else ""

    return Peer("openai", "chat", call, (OpenAIError,))


def hub_chat() -> Peer:
    from huggingface_hub import AsyncInferenceClient, errors  # noqa: PLC0415

    async def call(base: str, key: str, prompt: str, most: int | None) -> AsyncIterator[str]:
        client = AsyncInferenceClient(base, token=key, timeout=SILENCE)
        answer = await client.chat_completion(question(prompt), max_tokens=most, temperature=0, stream=True)
        async for chunk in answer:
            yield chunk.choices[0].delta.content or "" if chunk.choices else ""

    return Peer("huggingface_hub", "chat", call, _classes(errors))


def hub_text() -> Peer:
    from huggingface_hub import AsyncInferenceClient, errors  # noqa: PLC0415

    async def call(base: str, key: str, prompt: str, most: int | None) -> AsyncIterator[str]:
        client = AsyncInferenceClient(base, token=key, timeout=SILENCE)
        async for piece in await client.text_generation(prompt, max_new_tokens=most, stream=True):
            yield piece

    return Peer("huggingface_hub, text_generation", "tgi", call, _classes(errors))


def litellm() -> Peer:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices
    import litellm as library  # noqa: PLC0415

    library.suppress_debug_info = True
    library.disable_hf_tokenizer_download = True

    async def call(base: str, key: str, prompt: str, most: int | None) -> AsyncIterator[str]:
        base = base.removesuffix("/chat/completions")
        asked: dict[str, Any] = {"messages": question(prompt), "api_base": base, "api_key": key, "timeout": SILENCE}
        async for chunk in await library.acompletion(
            "openai/fault", max_tokens=most, temperature=0, stream=True, **asked
        ):
            yield chunk.choices[0].delta.content or ""

    return Peer("litellm", "chat", call, _classes(library.exceptions))


def question(prompt: str) -> Any:
    return [{"role": "user", "content": prompt}]


def _classes(module: Any) -> tuple[type[BaseException], ...]:
    """The errors that a module defines itself."""
    found = vars(module).values()
    return tuple(
        c for c in found if isinstance(c, type) and issubclass(c, Exception) and c.__module__ == module.__name__
    )


PEERS: tuple[Callable[[], Peer], ...] = (openai, hub_chat, litellm, hub_text)
