"""Reading what an OpenAI-like server answers, which its two routes do in one form."""

from collections.abc import Sequence
from typing import Final

import msgspec

from hfgen.answers import error_of_event, second_reading, unreadable
from hfgen.errors import ServerError
from hfgen.events import Event
from hfgen.openai_types import Chunk, events_of
from hfgen.wire import END, Body, Frame, Marker, Named
from hfgen.wire_json import MALFORMED, holds_json

_decoder: Final = msgspec.json.Decoder(Chunk)
_decode: Final = _decoder.decode


def read(frame: Frame, what: str) -> Sequence[Event | Marker]:
    """What one event of the stream, or a whole answer, says.

    Args:
        frame: The event or the body.
        what: What it should be, for an error.

    Raises:
        HfgenError: The error that the server put into it; it wins over all else in the same event.
    """
    if not isinstance(frame, bytes):
        return _other(frame, what)
    try:  # here and not in a function of its own: each call costs a token some 50 ns
        chunk = _decode(frame)
    except MALFORMED:
        if frame.startswith(b"[DONE]"):
            return (END,)
        if not frame.strip():
            return ()  # a keep-alive in the form of an empty event
        chunk = second_reading(frame, _decoder, what)
    if chunk.choices is None or chunk.error is not None or chunk.error_type is not None:
        _refuse_error(frame)
    return events_of(chunk)


def _other(frame: Body | Named, what: str) -> Sequence[Event | Marker]:
    if isinstance(frame, Body):
        return [*_whole(frame.data, what), END]
    if frame.name == "error":
        raise error_of_event(frame.data, name="error") or ServerError("the server reports an error without a word")
    return read(frame.data, what) if holds_json(frame.data) else ()


def _whole(data: bytes, what: str) -> Sequence[Event]:
    _refuse_error(data)
    try:
        chunk = _decode(data)
    except MALFORMED:
        chunk = second_reading(data, _decoder, what)
    if not chunk.choices:
        raise unreadable(data, what)
    return events_of(chunk)


def _refuse_error(data: bytes) -> None:
    error = error_of_event(data)
    if error is not None:
        raise error
