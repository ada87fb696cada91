"""What a stream yields.

Text is a plain `str`. `str(event)` is what a person may see, so `print(event, end="")` is right for every event: the
text, a Markdown image, or nothing. Every stream ends with exactly one `FinishReason`, or raises.
"""

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote

import msgspec

from hfgen.media import Media

if TYPE_CHECKING:
    from PIL.Image import Image

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
        reason: `stop` (the model ended, or nobody said why), `length` (max_tokens or context), `tool_calls`,
            `content_filter`.
        model: The model that answered, as its server names it.
        server: The server that answered, as a person would name it.
        attempts: Requests sent, all retries and continuations included.
        resumed: How often the stream was continued after a break.
        left_out: The options of the call that this server does not take, so that the answer was made without them.
    """

    reason: Finish
    model: str = ""
    server: str = ""
    attempts: int = 1
    resumed: int = 0
    left_out: tuple[str, ...] = ()


class ImageResponse(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    """One picture, and all that made it; `str()` is a Markdown image with a data URL.

    Attributes:
        media: The bytes, and their type as the bytes show it.
        prompt: What was to be painted, as it was sent.
        model: The model's name on its server's wire.
        server: Who made it, as a person would name it.
        provider: The Inference Provider, "" for a server of one's own.
        seed: What it was painted from, the request's own for several out of one request; None where nobody said.
        width: In pixels, read from the bytes; 0 where they do not show it.
        height: In pixels, read from the bytes; 0 where they do not show it.
        revised_prompt: What the provider made of the prompt, "" where it says nothing.
        source_url: Where it was fetched, "" where it came in the answer.
        left_out: The options of the call that its server does not take, and that made no difference to it.
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
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.markdown()

    def markdown(self, place: "str | os.PathLike[str]" = "") -> str:
        """A Markdown image of the saved file, or without one of the bytes themselves, as a data URL."""
        alt = " ".join(self.prompt.replace("[", "(").replace("]", ")").split())
        return f"![{alt}]({quote(Path(place).as_posix()) if place else self.media.data_url()})"

    def save(self, place: "str | os.PathLike[str]" = ".") -> Path:
        """Write the picture to a new file and say where it is; nothing is ever overwritten.

        It blocks: in a coroutine `await asyncio.to_thread(image.save, place)`.

        Args:
            place: A file that does not exist yet, known by the ending of a picture (`fox.png`); or a folder, made where
                there is none, in which the name is made of the prompt's letters, the seed and a hash of the content.

        Raises:
            FileExistsError: The file exists.
            OSError: As the system says.
            ValueError: The name holds a NUL.
        """
        from hfgen.saving import names_a_file, save_as, save_in, stem_of  # noqa: PLC0415 - for those who save

        if names_a_file(place) and not os.fspath(place).endswith(("/", os.sep)):
            return save_as(place, self.media.data)
        return save_in(place, stem_of(self.prompt, self.seed, self.media.data), self.media.extension, self.media.data)

    def pil(self) -> "Image":
        """The picture as a Pillow image.

        Raises:
            UsageError: Pillow is not installed.
            BadPicture: Pillow cannot read it, or it is a decompression bomb.
        """
        from hfgen.pixels import opened  # noqa: PLC0415 - an extra

        return opened(self.media)

    def _repr_png_(self) -> bytes | None:
        """For notebooks; None for anything but a PNG."""
        return self.media.data if self.media.media_type == "image/png" else None

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """For notebooks: the picture in its own type, and words where it cannot be shown."""
        shown = f"{self.prompt} ({self.media.media_type}, {self.width} x {self.height})"
        return {self.media.media_type: base64.b64encode(self.media.data).decode("ascii"), "text/plain": shown}


Event: TypeAlias = (
    str | Reasoning | ToolCallDelta | Logprobs | ImageResponse | Progress | Usage | Resumed | FinishReason
)
