"""The body of `POST /v1/responses`, typed (openai-python types/responses/response_create_params.py)."""

from typing import Any

import msgspec


class Part(msgspec.Struct, frozen=True):
    """One part of a message's, a tool's or a thought's content."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the conversation; one that does not say its type is a message."""

    type: str = "message"
    role: str | None = None
    content: str | list[Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[Part] | None = None


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool; only functions can be answered with, as nothing is run here."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """The one tool that has to be called, or those that may be (types/responses/tool_choice_allowed.py)."""

    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[dict[str, Any]] | None = None


class TextForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the answer's text looks like: `text`, `json_object`, `json_schema`."""

    type: str
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class TextOptions(msgspec.Struct, frozen=True):
    """How the text is written."""

    format: TextForm | None = None


class ResponsesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request; null is the same as left out."""

    input: str | list[Item]
    model: str | None = None
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    metadata: dict[str, str] | None = None
    background: bool | None = None
    conversation: str | dict[str, Any] | None = None
    previous_response_id: str | None = None
    prompt: dict[str, Any] | None = None
    strict: bool | None = None
