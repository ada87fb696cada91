"""What a caller may send, typed; fields that are not named here are ignored, as OpenAI's server ignores them."""

from typing import Any, TypeVar

import msgspec

from hfgen.openai_api.refusal import Refusal

T = TypeVar("T")


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream carries beside the answer."""

    include_usage: bool | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """What chat and completions share; null is the same as left out."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    strict: bool | None = None


class ChatRequest(Sampling, frozen=True, kw_only=True):
    """The body of `POST /v1/chat/completions`."""

    messages: list[dict[str, Any]]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    continue_final_message: bool | None = None
    prompt_inspect: bool | None = None


class TextRequest(Sampling, frozen=True, kw_only=True):
    """The body of `POST /v1/completions`; prompts of token ids are not taken, as no tokenizer is at hand."""

    prompt: str | list[str]
    logprobs: int | None = None
    echo: bool | None = None
    suffix: str | None = None


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/images/generations`; what OpenAI's form has no word for goes by the waist's names."""

    prompt: str
    model: str | None = None
    n: int | None = None
    size: str | None = None
    response_format: str | None = None
    stream: bool | None = None
    seed: int | None = None
    aspect_ratio: str | None = None
    width: int | None = None
    height: int | None = None
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    strict: bool | None = None


def read(body: bytes, kind: type[T]) -> T:
    """The typed request.

    Raises:
        Refusal: It is no JSON, or a field is of another type; the field is named.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        field = place.rstrip("`").lstrip(".") or _missing(message)
        raise Refusal(400, f"{field or 'the body'}: {message}", param=field or None, code="invalid_type") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Refusal(400, f"the body is no JSON object: {error}", code="invalid_json") from None


def _missing(message: str) -> str:
    """The field that msgspec says is missing: ``Object missing required field `messages` ``."""
    return message.split("`")[1] if "missing required field" in message else ""
