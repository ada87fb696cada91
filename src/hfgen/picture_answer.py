"""What providers' answers about pictures have in common: where a picture is, where a job is, why there is none."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec

from hfgen.answers import error_of_event, second_reading, unreadable
from hfgen.errors import BadPicture, ContentFiltered, HfgenError, ServerError
from hfgen.events import FinishReason, ImageResponse
from hfgen.picture import scheme_of, unpacked
from hfgen.server_words import said_in, words_of
from hfgen.wire import END, Frame, Item, Named, PictureAt
from hfgen.wire_json import MALFORMED

T = TypeVar("T")

WHAT: Final = "a picture"

_PATH: Final = re.compile(r"(?:/[\w~-][\w.~-]*)+", re.ASCII)
# A failed job has no code that would tell: replicate's models, wavespeed and Z.ai say it in words.
_FILTER: Final = re.compile(
    r"\b(?:nsfw|unsafe|safety|sensitive|moderat\w+|content (?:filter|polic|check)\w*)", re.IGNORECASE
)


class _Item(msgspec.Struct):
    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class _List(msgspec.Struct):
    """OpenAI's answer of `/images/generations`; what else stands in it (timings, an index) nobody needs."""

    data: list[_Item] = []


_list: Final = msgspec.json.Decoder(_List)


class Place(NamedTuple):
    """What stands for a picture in an answer, as `picture` reads it."""

    text: str
    seed: int | None = None
    revised_prompt: str = ""


def body_of(frame: Frame) -> bytes:
    """The JSON of an answer, whichever way it was framed.

    Raises:
        HfgenError: It is an event called `error`.
    """
    if isinstance(frame, bytes):
        return frame
    error = error_of_event(frame.data, name=frame.name) if isinstance(frame, Named) else None
    if error is not None:
        raise error
    return frame.data


def parsed(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The typed answer.

    Raises:
        HfgenError: The error that it holds in place of one, or that it is no such thing.
    """
    try:
        return decoder.decode(data)
    except MALFORMED:
        return second_reading(data, decoder, WHAT)


def picture(text: str, *, seed: int | None = None, revised_prompt: str = "") -> ImageResponse | PictureAt:
    """A picture as providers hand it over: an address on the web, a data URL, or bare base64.

    Raises:
        BadPicture: It is none of these, or the bytes are no picture.
    """
    scheme = scheme_of(text)
    if scheme in ("http", "https"):
        return PictureAt(text, seed, revised_prompt)
    if scheme not in ("", "data"):
        shown = scheme if scheme.isalnum() else "unknown"
        raise BadPicture(f"the server names an address of the kind {shown!r} for the picture; only http and https")
    return ImageResponse(unpacked(text), seed=seed, revised_prompt=revised_prompt)


def several(found: Sequence[Place]) -> list[Item]:
    """All of several; one that is damaged takes none from the others: it is left for the caller to stumble over.

    Raises:
        BadPicture: None of them is a picture.
    """
    whole: list[Item] = []
    damaged: list[Item] = []
    for place in found:
        try:
            whole.append(picture(place.text, seed=place.seed, revised_prompt=place.revised_prompt))
        except BadPicture:
            if not whole and place is found[-1]:
                raise
            damaged.append(PictureAt(place.text, place.seed, place.revised_prompt))
    return [*whole, *damaged]


def finished(pictures: Sequence[Item]) -> Sequence[Item]:
    """The pictures, and the end of the answer."""
    return [*pictures, FinishReason("stop"), END]


def listed(frame: Frame) -> Sequence[Item]:
    """The pictures of OpenAI's form of answer.

    Raises:
        HfgenError: The error that stands in their place, or that there are none.
    """
    data = body_of(frame)
    found = [
        Place(text, revised_prompt=item.revised_prompt or "")
        for item in parsed(data, _list).data
        if (text := item.b64_json or item.url)
    ]
    if not found:
        raise nothing_in(data)
    return finished(several(found))


def nothing_in(data: bytes) -> HfgenError:
    """The error for an answer that holds neither a picture nor a job."""
    return error_of_event(data) or unreadable(data, WHAT)


def job_path(url: str) -> str:
    """The path of a job's address, to be asked below the target's base: never its host, for it came over the wire.

    Raises:
        ServerError: It has none that is safe to ask.
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    if not _PATH.fullmatch(path):
        raise ServerError("the server names no address of its job, or one that is no plain path")
    return path


def filtered(words: str) -> ContentFiltered:
    """The error for what a content filter refused or withheld."""
    return ContentFiltered(
        f"the content filter refused it: {words}", hint="Say it in other words, or ask another provider (provider=)."
    )


def failed(said: Mapping[str, Any] | bytes) -> HfgenError:
    """The error of a job that came to nothing, in the provider's words."""
    words = words_of(said_in(said) if isinstance(said, bytes) else said)
    if _FILTER.search(words):
        return filtered(words)
    return ServerError(f"the job failed: {words or 'the provider does not say why'}")
