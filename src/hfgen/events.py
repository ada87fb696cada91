"""What a stream yields.

Text is a plain `str`. `str(event)` is what a person may see, so `print(event, end="")` is right for every event: the
text, a Markdown image, or nothing. Every stream ends with exactly one `FinishReason`, or raises.
"""

from typing import Literal, TypeAlias

import msgspec

from hfgen.media import Media

Finish: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]
Stage: TypeAlias = Literal["starting", "waiting", "loading", "queued", "running", "fetching", "trimmed"]


class _Silent(msgspec.Struct, frozen=True, tag_field="type"):
    """An event with nothing to show."""

    def __str__(self) -> str:
        return ""


class Reasoning(_Silent, frozen=True, tag="reasoning"):
    """A piece of the model's thinking, which is no part of its answer."""

    text: str


class ToolCallDelta(_Silent, frozen=True, tag="tool_call_delta"):
    """A piece of a tool call.

    The first piece of each `index` carries `id` and `name`; the `arguments` of all pieces of one index, joined in
    order, are the call's JSON arguments.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class TokenLogprob(msgspec.Struct, frozen=True):
    """One token and its natural logarithm of probability; `top` holds the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple["TokenLogprob", ...] = ()


class Logprobs(_Silent, frozen=True, tag="logprobs"):
    """Log probabilities of the tokens of the text that came just before."""

    tokens: tuple[TokenLogprob, ...]


class Progress(_Silent, frozen=True, tag="progress"):
    """Something takes its time, or was done to the request: a queue, a loading model, messages that did not fit."""

    stage: Stage
    detail: str = ""
    position: int | None = None
    fraction: float | None = None


class Usage(_Silent, frozen=True, tag="usage"):
    """What the answer cost, in tokens; `estimated` when the server did not say and hfgen counted the pieces."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


class Resumed(_Silent, frozen=True, tag="resumed"):
    """The stream broke and goes on from the exact text delivered.

    Attributes:
        attempt: The number of the request that goes on, 2 for the first continuation.
        reason: What had broken.
        server: Who goes on.
    """

    attempt: int
    reason: str
    server: str = ""


class FinishReason(_Silent, frozen=True, tag="finish"):
    """The truthful end of a stream, and who answered.

    Attributes:
        reason: `stop` (the model ended), `length` (max_tokens or context), `tool_calls`, `content_filter`.
        model: The model that answered, as its server names it.
        server: The server that answered, as a person would name it.
        attempts: Requests sent, all retries and continuations included.
        resumed: How often the stream was continued after a break.
    """

    reason: Finish
    model: str = ""
    server: str = ""
    attempts: int = 1
    resumed: int = 0


class ImageResponse(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    """One picture, and all that made it; `str()` is a Markdown image with a data URL.

    Attributes:
        media: The bytes, and their type as the bytes show it.
        prompt: What was to be painted, as it was sent.
        model: The model's name on its server's wire.
        server: Who made it, as a person would name it.
        provider: The Inference Provider, "" for a server of one's own.
        seed: What it was painted from; None where nobody said.
        width: In pixels, read from the bytes; 0 where they do not show it.
        height: In pixels, read from the bytes; 0 where they do not show it.
        revised_prompt: What the provider made of the prompt, "" where it says nothing.
        source_url: Where it was fetched, "" where it came in the answer.
    """

    media: Media
    prompt: str = ""
    model: str = ""
    server: str = ""
    provider: str = ""
    seed: int | None = None
    width: int = 0
    height: int = 0
    revised_prompt: str = ""
    source_url: str = ""

    def __str__(self) -> str:
        alt = " ".join(self.prompt.replace("[", "(").replace("]", ")").split())
        return f"![{alt}]({self.media.data_url()})"


Event: TypeAlias = (
    str | Reasoning | ToolCallDelta | Logprobs | ImageResponse | Progress | Usage | Resumed | FinishReason
)
