"""Every recorded stream of a real server, through the one pipeline, however the network cuts it."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from hfgen.errors import HfgenError, StreamError
from hfgen.events import Event, FinishReason, Reasoning, ToolCallDelta, Usage
from hfgen.generation import Generation
from hfgen.limits import Limits
from hfgen.providers.pipeline import Call, stream
from hfgen.providers.plan import Plan
from hfgen.providers.routes import CHAT, TGI, Dialect, Route
from hfgen.transport.sse import EventDecoder
from hfgen.wire import Answer, Frame, Target, WireRequest


class Replay:
    """An exchange that answers every request with the same bytes, cut at the same places."""

    status = 200
    headers: Mapping[str, str] = MappingProxyType({})
    request_id = ""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = list(chunks)
        self._decoder = EventDecoder()

    @asynccontextmanager
    async def open(self, request: WireRequest, target: Target, limits: Limits) -> AsyncIterator[Answer]:
        yield self

    async def download(self, url: str, target: Target, limits: Limits, most: int) -> bytes:
        raise AssertionError(url)  # no text lies anywhere else

    @property
    def over(self) -> bool:
        return not self._chunks

    async def read(self) -> Sequence[Frame]:
        while self._chunks:
            if frames := self._decoder.feed(self._chunks.pop(0)):
                return frames
        return ()

    def bare(self) -> None:
        """Nothing is timed here."""


async def told(dialect: Dialect, chunks: Sequence[bytes]) -> tuple[list[Event], str]:
    """The events of a stream, and the error it ended with."""

    async def way() -> Plan:
        return Plan(Generation(prompt="x", heal=False), Route(dialect, Target("http://127.0.0.1:1", model="m")))

    events: list[Event] = []
    try:
        async for event in stream(nullcontext(Call([way], Replay(chunks))), total=0.2):
            events.append(event)
    except HfgenError as error:
        partial = error.partial if isinstance(error, StreamError) else ""
        return joined(events), f"{type(error).__name__}: {error.message} [{partial}]"
    return joined(events), ""


def joined(events: Sequence[Event]) -> list[Event]:
    """Neighbouring pieces of text as one, since where they are cut carries no meaning."""
    out: list[Event] = []
    for event in events:
        if isinstance(event, str) and out and isinstance(out[-1], str):
            out[-1] += event
        elif isinstance(event, Reasoning) and out and isinstance(last := out[-1], Reasoning):
            out[-1] = Reasoning(last.text + event.text)
        else:
            out.append(event)
    return out


def data_of(raw: bytes) -> list[Any]:
    """The JSON of the recording's events, read in the simplest way."""
    text = raw.decode()
    lines = [line[5:].strip() for line in text.replace("\r\n", "\n").split("\n") if line.startswith("data:")]
    return [json.loads(line) for line in lines if line and line != "[DONE]"]


def text_in(items: Sequence[Any]) -> str:
    """All text that the servers sent, thought included, taken from the JSON by hand."""
    out = ""
    for item in items:
        token = item.get("token") or {}
        if token and not token.get("special"):
            out += token["text"]
        for choice in item.get("choices") or []:
            delta = choice.get("delta") or {}
            content = delta.get("content") or choice.get("text") or ""
            for part in [{"text": content}] if isinstance(content, str) else content:
                thought = part.get("thinking") or part.get("text") or ""
                out += thought if isinstance(thought, str) else "".join(piece["text"] for piece in thought)
            out += delta.get("reasoning_content") or delta.get("reasoning") or ""
    return out


def recordings(shared: Path) -> list[Path]:
    return sorted((shared / "recordings" / "sse").glob("*.sse"))


def dialect_of(items: Sequence[Any]) -> Dialect:
    native = any("token" in item or "error_type" in item for item in items)
    return TGI if native else CHAT


@pytest.mark.shared
async def test_every_recording_tells_all_its_text_and_one_end(shared: Path) -> None:
    files = recordings(shared)
    assert len(files) > 30
    for file in files:
        raw = file.read_bytes()
        items = data_of(raw)
        events, error = await told(dialect_of(items), [raw])
        if error:
            assert any("error" in item for item in items), (file.name, error)
            continue
        shown = "".join(e if isinstance(e, str) else e.text if isinstance(e, Reasoning) else "" for e in events)
        tags = text_in(items).replace("<think>", "").replace("</think>", "")
        assert "".join(shown.split()) == "".join(tags.split()), file.name
        assert [type(event) for event in events].count(FinishReason) == 1, file.name
        assert isinstance(events[-1], FinishReason), file.name
        assert isinstance(events[-2], Usage), file.name
        if any(isinstance(event, ToolCallDelta) for event in events):
            arguments = "".join(e.arguments for e in events if isinstance(e, ToolCallDelta) and e.index == 0)
            assert arguments == "" or isinstance(json.loads(arguments), dict), file.name


@pytest.mark.shared
@pytest.mark.timeout(300)
async def test_every_recording_reads_the_same_however_it_is_cut(shared: Path) -> None:
    for file in recordings(shared):
        raw = file.read_bytes()
        dialect = dialect_of(data_of(raw))
        whole = await told(dialect, [raw])
        step = max(1, len(raw) // 100)
        cuts = [[raw[i : i + 1] for i in range(len(raw))]] if len(raw) < 40_000 else []
        cuts += [[raw[:at], raw[at:]] for at in range(1, len(raw), step)] if len(raw) < 60_000 else []
        cuts += [[raw[i : i + 7919] for i in range(0, len(raw), 7919)]]
        for cut in cuts:
            assert await told(dialect, cut) == whole, (file.name, [len(part) for part in cut][:3])
