"""The manners of a stream: what a person sees is whole characters, thought apart from answer, and exactly one end."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from hfgen.events import Event, Finish, FinishReason, Reasoning, ToolCallDelta, Usage
from hfgen.providers.stops import StopStrings
from hfgen.providers.thinking import Thinking
from hfgen.wire import END, Marker
from hfgen.wire_json import MALFORMED, patient

_HIGH_FIRST, _HIGH_LAST = "\ud800", "\udbff"  # first halves of characters, which JSON may cut


class Shape:
    """Turns what the dialect read into what the caller gets; one object for each answer.

    Attributes:
        pieces: The text delivered so far.
        received: The text as the server sent it, one item for each of its pieces, which are tokens on most servers.
        usage: The last usage that the server told, or None.
        finish: Why the server says that it ended, or None as long as it has not.
        closed: The server said that nothing more comes.
    """

    def __init__(self, *, stop: Sequence[str] = (), thinking: bool = False, trim: bool = False) -> None:
        self.pieces: list[str] = []
        self.received: list[str] = []
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.closed = False
        self._beside = 0  # pieces of anything but text
        self._resent = 0
        self._resumed = 0
        self._started = False
        self._calls: dict[int, tuple[str, str]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._other_came = False
        self._half = ""
        self._trim = trim
        self._thinking: Thinking | None = Thinking(opened=thinking)
        self._stops = StopStrings(stop) if any(stop) else None

    @property
    def text(self) -> str:
        """The text delivered so far."""
        return "".join(self.pieces)

    @property
    def started(self) -> bool:
        """Whether the caller has been handed anything of the answer."""
        return self._started or bool(self.pieces)

    @property
    def only_text(self) -> bool:
        """Whether nothing but text has come: no tool call, no reasoning, nothing beside it."""
        return not self._calls and not self._other_came

    @property
    def plain(self) -> bool:
        """Whether text passes as it is: no thought may begin any more, and no stop string is looked for."""
        return self._thinking is None and self._stops is None

    @property
    def complete(self) -> bool:
        """Whether the answer has its truthful end.

        A stream of tool calls may end with `[DONE]` and no reason (recorded from OpenRouter); anything else without a
        reason is a cut, and so is a call whose arguments are half of their JSON.
        """
        return self.finish is not None or (self.closed and bool(self._calls) and self._calls_are_whole())

    def feed(self, event: Event | Marker) -> Iterable[Event]:
        """What the caller gets of this event now."""
        if not isinstance(event, str):
            return self._other(event)
        if not event:
            return ()
        if self._half or _HIGH_FIRST <= event[-1] <= _HIGH_LAST:
            event = self._whole(event)
            if not event:
                return ()
        self.received.append(event)
        if self._thinking is not None or self._stops is not None:
            return self._visible(event)
        self.pieces.append(event)
        return (event,)

    def feed_texts(self, texts: list[str]) -> Sequence[Event]:
        """As `feed`, of many pieces at once, where text is `plain`."""
        if self._half or not all(texts) or not _whole_characters(texts):
            return [event for text in texts for event in self.feed(text)]
        self.received += texts
        self.pieces += texts
        return texts

    def tokens_before(self, place: int) -> int:
        """How many tokens the first `place` characters of the received text were, by the server's own count if told."""
        pieces = length = 0
        for piece in self.received:
            length += len(piece)
            if length > place:
                break
            pieces += 1
        told = self.usage.completion_tokens if self.usage else 0
        return pieces if told <= len(self.received) else pieces * told // len(self.received)

    def reopen(self, resent: int) -> None:
        """The answer broke off and is going to be continued behind its first `resent` tokens."""
        self.closed = False
        self.usage = None
        self._half = ""
        self._resent = resent
        self._resumed += 1

    def end(self, model: str, server: str, attempts: int, left_out: tuple[str, ...] = ()) -> Iterator[Event]:
        """What was held back, then `Usage` and the one `FinishReason`."""
        yield from self.flush()
        reason: Finish = "tool_calls" if self._calls and self.finish in (None, "stop") else self.finish or "stop"
        yield self._total(self.usage)
        yield FinishReason(reason, model, server, attempts, self._resumed, left_out)

    def _total(self, told: Usage | None) -> Usage:
        """The usage over all attempts: the server counts what it was sent again as prompt."""
        if told is None:
            return Usage(completion_tokens=len(self.received) + self._beside, estimated=True)
        if not self._resumed:
            return told
        return msgspec.structs.replace(
            told,
            prompt_tokens=max(0, told.prompt_tokens - self._resent),
            completion_tokens=told.completion_tokens + self._resent,
            estimated=True,
        )

    def flush(self) -> Iterator[Event]:
        """What was held back because more might have followed; nothing does."""
        if self._half:
            half, self._half = "\ufffd", ""
            yield from self._visible(half)
        if self._thinking is not None:
            for part in self._thinking.flush():
                yield from self._deliver(part) if isinstance(part, str) else (part,)
        if self._stops is not None and (rest := self._stops.flush()):
            self.pieces.append(rest)
            yield rest

    def _whole(self, piece: str) -> str:
        """Join the two halves of a character that came in two pieces; a half without its other is U+FFFD."""
        if not self._half and len(piece) == 1:
            self._half = piece
            return ""
        joined = self._half + piece
        cut = len(joined) - 1 if _HIGH_FIRST <= joined[-1] <= _HIGH_LAST else len(joined)
        self._half = joined[cut:]
        return joined[:cut].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _visible(self, piece: str) -> Iterator[Event]:
        if self._thinking is None:
            yield from self._deliver(piece)
            return
        for part in self._thinking.feed(piece):
            if isinstance(part, str):
                yield from self._deliver(part)
            else:
                self._started = self._other_came = True
                yield part
        if self._thinking.done:
            self._thinking = None

    def _deliver(self, text: str) -> Iterator[Event]:
        if self._trim:
            text = _without_blank_lines(text)
            self._trim = not text
        if self._stops is not None:
            text = self._stops.feed(text)
            if self._stops.hit:
                self.finish, self.closed = "stop", True
        if text:
            self._started = True
            self.pieces.append(text)
            yield text

    def _other(self, event: Event | Marker) -> Iterable[Event]:
        match event:
            case Marker():
                self.closed = self.closed or event is END
            case Usage():
                self.usage = event
            case FinishReason():
                self.finish = self.finish or event.reason
            case ToolCallDelta():
                return self._call(event)
            case Reasoning():
                self._beside += 1
                self._started = self._other_came = True
                return (event,) if event.text else ()
            case _:
                self._started = self._other_came = True
                return (event,)
        return ()

    def _calls_are_whole(self) -> bool:
        """No arguments at all are what some servers send for a function that takes none."""
        texts = map("".join, self._arguments.values())
        return all(_is_json(text) for text in texts if text)

    def _call(self, delta: ToolCallDelta) -> Iterable[Event]:
        """Name and id are told once for each call, though some servers repeat them with every piece."""
        self._beside += 1
        self._started = True
        self._arguments.setdefault(delta.index, []).append(delta.arguments)
        told = self._calls.get(delta.index)
        if told is None:
            self._calls[delta.index] = (delta.id, delta.name)
            return (delta,)
        self._calls[delta.index] = (told[0] or delta.id, told[1] or delta.name)
        fresh = msgspec.structs.replace(delta, id="" if told[0] else delta.id, name="" if told[1] else delta.name)
        return (fresh,) if fresh.id or fresh.name or fresh.arguments else ()


def _whole_characters(texts: list[str]) -> bool:
    """Whether no half of a character is among them."""
    joined = "".join(texts)
    if joined.isascii():
        return True
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_json(text: str) -> bool:
    try:
        patient(text.encode("utf-8", "replace"))
    except MALFORMED:
        return False
    return True


def _without_blank_lines(text: str) -> str:
    """Drop leading blank lines, and one space that a tokenizer puts before the first word; keep an indentation."""
    stripped = text.lstrip()
    lead = text[: len(text) - len(stripped)]
    if not stripped:
        return ""
    indent = lead.rpartition("\n")[2] if "\n" in lead else lead
    return stripped if indent == " " else indent + stripped
