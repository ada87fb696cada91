"""The decoder against a browser's own results, at every way to cut the bytes."""

import base64
import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from hfgen.errors import ServerError
from hfgen.transport.sse import EventDecoder
from hfgen.wire import Body, Frame, Named


def decode(*chunks: bytes) -> list[Frame]:
    decoder = EventDecoder()
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


def plain(frames: list[Frame]) -> list[tuple[str, str]]:
    named = [f if isinstance(f, Named) else Named("message", f) for f in frames if not isinstance(f, Body)]
    return [(name, data.decode("utf-8", "replace")) for name, data in named]


class Model:
    """The specification (HTML, 9.2.5 and 9.2.6), a byte at a time, with no thought of cost."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.last_event_id = ""
        self.retry: int | None = None
        self._seen, self._line, self._after_cr = b"", b"", False
        self._values: list[str] = []
        self._name = self._id = ""

    def byte(self, byte: bytes) -> None:
        self._seen += byte
        if self._seen == b"\xef\xbb\xbf":  # the one at the start
            self._line = b""
            return
        after_cr, self._after_cr = self._after_cr, byte == b"\r"
        if byte == b"\n" and after_cr:
            return
        if byte not in (b"\r", b"\n"):
            self._line += byte
            return
        line, self._line = self._line.decode("utf-8", "replace"), b""
        self._read(line) if line else self._dispatch()

    def _read(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._values.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value)

    def _dispatch(self) -> None:
        self.last_event_id = self._id
        if self._values:
            self.events.append((self._name or "message", "\n".join(self._values)))
        self._values, self._name = [], ""


def reference(data: bytes) -> tuple[list[tuple[str, str]], str, int | None]:
    model = Model()
    for at in range(len(data)):
        model.byte(data[at : at + 1])
    return model.events, model.last_event_id, model.retry


def decoded(*chunks: bytes) -> tuple[list[tuple[str, str]], str, int | None]:
    decoder = EventDecoder()
    frames = [frame for chunk in chunks for frame in decoder.feed(chunk)]
    return plain(frames), decoder.last_event_id, decoder.retry


@pytest.mark.shared
def test_every_vector_at_every_cut(shared: Path) -> None:
    vectors: list[dict[str, Any]] = json.loads((shared / "sse_vectors.json").read_text())
    assert len(vectors) == 108
    for vector in vectors:
        chunks = [base64.b64decode(chunk) for chunk in vector["chunks_b64"]]
        whole = b"".join(chunks)
        expected = [(event["type"], event["data"]) for event in vector["events"]]
        cuts = [chunks, [bytes([byte]) for byte in whole]]
        cuts += [[whole[:at], whole[at:]] for at in range(len(whole) + 1)] if len(whole) < 5000 else []
        for cut in cuts:
            decoder = EventDecoder()
            frames = [frame for chunk in cut for frame in decoder.feed(chunk)]
            assert plain(frames) == expected, (vector["name"], cut)
            assert (decoder.last_event_id, decoder.retry) == (vector["last_event_id"], vector["retry"]), vector["name"]


def test_tokens_with_unicode_line_ends_are_not_cut() -> None:
    data = "a\u2028b\u0085c\u2029d\x0be"
    assert decode(f"data: {data}\n\n".encode()) == [data.encode()]


def test_events_without_a_space_several_lines_names_and_comments() -> None:
    stream = b": ping\n\ndata:one\n\nevent: error\ndata: {}\n\ndata: a\ndata: b\n\nid: 7\nretry: 250\ndata: z\n\n"
    decoder = EventDecoder()
    assert decoder.feed(stream) == [b"one", Named("error", b"{}"), b"a\nb", b"z"]
    assert (decoder.last_event_id, decoder.retry) == ("7", 250)


def test_a_block_that_the_end_cuts_is_discarded() -> None:
    assert decode(b"data: whole\n\ndata: hal") == [b"whole"]
    assert decode(b"data: whole\n\ndata: half\n") == [b"whole"]


def test_an_endless_line_is_refused_before_it_fills_the_memory() -> None:
    decoder = EventDecoder(largest=1000)
    with pytest.raises(ServerError, match="1000 bytes"):
        for _ in range(20):
            decoder.feed(b"data: " + b"x" * 90)


def test_many_lines_of_one_event_are_bounded_too() -> None:
    decoder = EventDecoder(largest=1000)
    with pytest.raises(ServerError, match="1000 bytes"):
        for _ in range(20):
            decoder.feed(b"data: " + b"x" * 90 + b"\n")


_CASES = int(os.environ.get("HFGEN_CASES", "1000"))
"""Of hypothesis, for each of the two tests against the model."""

_BITS = [
    b"data",
    b"event",
    b"id",
    b"retry",
    b":",
    b" ",
    b"\r",
    b"\n",
    b"\n\n",
    b"x",
    b"7",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xc3",
]
_FIELDS = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data",
        b"data:  c",
        b"event: error",
        b"event",
        b": note",
        b"id: 1",
        b"id:2\0",
        b"id",
        b"retry: 30",
        b"retry: 3x",
        b"retry: \xc2\xb2",
        b"event: message",
        b"data:\xff\xc3",
        b"\xef\xbb\xbfdata: d",
        b"x: y",
        "data: \u2028é".encode(),
    ]
)
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\r\r"])


@settings(max_examples=_CASES)
@given(st.lists(st.tuples(_FIELDS, _ENDS), max_size=12), st.lists(st.integers(0, 300), max_size=8), st.booleans())
def test_any_stream_cut_anywhere_reads_as_the_specification(
    parts: list[tuple[bytes, bytes]], places: list[int], bom: bool
) -> None:
    stream = (b"\xef\xbb\xbf" if bom else b"") + b"".join(a + b for a, b in parts)
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert decoded(*chunks) == reference(stream)


@settings(max_examples=_CASES)
@given(st.lists(st.sampled_from(_BITS)))
def test_any_bytes_one_at_a_time_read_as_the_specification(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    assert decoded(*(bytes([byte]) for byte in stream)) == reference(stream)
    assert decoded(stream) == reference(stream)


def test_a_cr_at_the_end_of_a_chunk_ends_its_line_at_once() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: x\r\r") == [b"x"]
    assert decoder.feed(b"\ndata: y\r\n\r") == [b"y"]


@pytest.mark.parametrize("size", [1, 65536])
def test_a_large_event_costs_time_in_proportion(size: int) -> None:
    """Four times the bytes, about four times the time: a quadratic decoder takes sixteen times as long."""

    def seconds(length: int) -> float:
        decoder = EventDecoder()
        data = b"data: " + b"x" * length + b"\n\n"
        began = time.process_time()
        frames = [frame for at in range(0, len(data), size) for frame in decoder.feed(data[at : at + size])]
        assert frames == [b"x" * length]
        return time.process_time() - began

    small = 2**16 if size == 1 else 2**21
    assert min(seconds(4 * small) for _ in range(3)) < 10 * min(seconds(small) for _ in range(3)) + 0.02


def test_the_line_that_old_llamacpp_wrote_in_place_of_an_event_is_its_error() -> None:
    said = b'{"code":500,"message":"out of slots","type":"server_error"}'

    assert decode(b'data: {"a":1}\n\nerror: ' + said + b"\n\n") == [b'{"a":1}', Named("error", said)]


def test_any_other_field_called_error_is_ignored_like_every_unknown_one() -> None:
    assert decode(b"error: none\ndata: a\n\nerror\n\nerrors: {}\n\n") == [b"a"]
