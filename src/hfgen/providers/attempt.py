"""One attempt at an answer of text: a request, and what comes of it. Pictures come as `jobs`."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, Self

import msgspec

from hfgen.errors import ConnectionFailed, HfgenError, ModelNotSupportedError, ServerError, TimedOut, TruncatedStream
from hfgen.events import Event, FinishReason, ImageResponse, Resumed, Usage
from hfgen.generation import Generation
from hfgen.providers.places import aside
from hfgen.providers.routes import Route
from hfgen.providers.seam import Join, NotContinued
from hfgen.providers.shape import Shape
from hfgen.servers.detect import forget
from hfgen.wire import Again, Answer, Body, Exchange, Frame, Item, Marker, PictureAt, Whole, WireRequest

_GRACE: Final = 0.08  # seconds for a usage or `[DONE]` after the finish reason; no caller waits longer for them


class Attempt:
    """Reads one answer in batches: what has arrived is decoded and shaped at once, and handed out together.

    Used as an async context manager; leaving it closes the connection, so that the server stops.

    Args:
        generation: What is asked.
        route: Of whom, and in which language.
        request: The first request.
        exchange: The network.
        shape: Where the answer stands; an attempt that continues one shares it with those before.
        deadline: On the event loop's clock, or None.
        join: Reads the beginning of a continuation; None for an answer from its start.
        news: Events for the caller before any of the answer.
    """

    def __init__(
        self,
        generation: Generation,
        route: Route,
        request: WireRequest,
        exchange: Exchange,
        shape: Shape,
        deadline: float | None,
        join: tuple[Join, Resumed] | None = None,
        news: Sequence[Event] = (),
    ) -> None:
        self.shape = shape
        self._generation = generation
        self._route = route
        self._exchange = exchange
        self._deadline = deadline
        self._join = join
        self._news = list(news)
        self._next: WireRequest | None = request
        self._open: AbstractAsyncContextManager[Answer] | None = None
        self._answer: Answer | None = None
        self._error: HfgenError | None = None
        self._before = len(shape.received)  # pieces of text that earlier attempts brought
        self._swallowed = 0  # pieces of text that came a second time
        self._patience: float | None = None  # until when the rest of a finished answer is waited for

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close(kind, error, trace)

    async def read(self) -> list[Event]:
        """The events that have come, at least one; none when the answer is complete.

        Raises:
            HfgenError: What went wrong, after all that came before it was handed out.
        """
        if self._news:
            news, self._news = self._news, []
            return news
        while not self._error:
            try:
                events = await (self._step() if self._deadline is None else self._step_in_time(self._deadline))
            except TimeoutError as error:
                self._error = error if isinstance(error, HfgenError) else out_of_time()
                break
            if events is None:
                return []
            if events:
                return events
        assert self._error is not None  # noqa: S101 - the loop ends only so
        raise self._error

    async def _step_in_time(self, deadline: float) -> list[Event] | None:
        async with asyncio.timeout_at(deadline):
            return await self._step()

    async def _step(self) -> list[Event] | None:
        """Open, or read once; None at the complete end."""
        if self._answer is None:
            if self._next is None:
                return None
            request, self._next = self._next, None
            opened = self._exchange.open(request, self._route.target, self._generation.limits)
            try:
                self._answer = await opened.__aenter__()
            except (ConnectionFailed, ModelNotSupportedError):
                forget(self._route.target.base)  # it may have been started anew since, with another model
                raise
            self._open = opened
            return []
        answer = self._answer  # the fewer coroutines between socket and caller, the cheaper a token that comes alone
        frames = await (answer.read() if self.shape.finish is None else self._last_frames(answer))
        heard = self._heard
        if frames and isinstance(whole := frames[0], Body):  # a picture may come where words were asked for
            events = await aside(len(whole.data), lambda: self._decode(frames))
        else:
            events = self._decode(frames)
        if not events and self._heard == heard:
            answer.bare()
        if not self._error and (self.shape.closed or not frames):
            await self._finish(answer, at_end=not frames)
        return events

    @property
    def _heard(self) -> int:
        """Pieces of text that came in this attempt, new or for the second time."""
        return len(self.shape.received) - self._before + self._swallowed

    async def _last_frames(self, answer: Answer) -> Sequence[Frame]:
        """What arrives after the finish reason: only for a moment more, whatever still comes."""
        if self._patience is None:
            self._patience = asyncio.get_running_loop().time() + _GRACE
        try:
            async with asyncio.timeout_at(self._patience):
                return await answer.read()
        except (TimeoutError, HfgenError):
            return ()  # the answer is complete: whatever comes now, or does not, changes nothing

    def _decode(self, frames: Sequence[Frame]) -> list[Event]:
        """What the caller gets of these frames; plain text is shaped all at once, up to what stands between it."""
        events: list[Event] = []
        texts: list[str] = []
        decode, shape = self._route.dialect.decode, self.shape
        plain = shape.plain and self._join is None
        try:
            for frame in frames:
                if shape.finish is not None:
                    self._tail(frame)
                    continue
                for item in decode(frame):
                    if plain and isinstance(item, str):  # nearly always
                        texts.append(item)
                    else:
                        events += shape.feed_texts(texts)
                        texts.clear()
                        events += self._taken(item)
                        plain = shape.plain and self._join is None
                if shape.closed:
                    break
        except HfgenError as error:
            if shape.finish is None:  # after the finish reason an error changes nothing
                self._error = error
        events += shape.feed_texts(texts)
        return events

    def _tail(self, frame: Frame) -> None:
        """Behind the finish reason only the usage counts; text there is none of the answer's."""
        for item in self._route.dialect.decode(frame):
            if isinstance(item, (Usage, Marker)):
                self.shape.feed(item)

    def _taken(self, item: Item) -> Iterable[Event]:
        if isinstance(item, (WireRequest, Again, PictureAt)):
            return ()  # of jobs, which no language of text has
        if isinstance(item, Whole):
            if self._heard:
                return ()
            item = item.text
        elif isinstance(item, ImageResponse):
            item = self._signed(item)
        return self.shape.feed(item) if self._join is None else self._joined(item, *self._join)

    def _signed(self, image: ImageResponse) -> ImageResponse:
        """An endpoint may paint though it was asked as for text: it does not say what its model is for."""
        asked = self._generation
        server = self._route.target.name
        return msgspec.structs.replace(image, prompt=asked.text, model=asked.model, server=server)

    def _joined(self, item: Event | Marker, join: Join, resumed: Resumed) -> Iterable[Event]:
        """What an event adds to the text before the break, once it is certain that it does."""
        match item:
            case str():
                self._swallowed += bool(item)
                new = join.feed(item)
            case FinishReason():
                new = join.end()
            case Marker() | Usage():
                return self.shape.feed(item)
            case _:
                raise NotContinued("the server answers with something else than the rest of the text")
        if new is None:
            return ()
        self._join = None
        text = self.shape.feed(new) if new else ()
        return (resumed, *text) if isinstance(item, str) else (resumed, *text, *self.shape.feed(item))

    async def _finish(self, answer: Answer, *, at_end: bool) -> None:
        """Release the connection for the next call where the body ends at once; see that the answer is whole."""
        if not at_end and not answer.over:
            patience = self._patience or asyncio.get_running_loop().time() + _GRACE
            try:
                async with asyncio.timeout_at(patience):
                    while await answer.read():
                        pass
            except (TimeoutError, HfgenError):
                pass
        await self._close(None, None, None)
        if self.shape.complete and self._join is None:
            return
        if self.shape.started:
            self._error = TruncatedStream("the stream ended without a finish reason: the answer is cut")
        else:
            self._error = ServerError("the server answered with nothing", hint="Try again, or ask another server.")

    async def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened, self._open, self._answer = self._open, None, None
        if opened is not None:
            await opened.__aexit__(kind, error, trace)


def out_of_time() -> TimedOut:
    """The deadline of the whole call has passed."""
    return TimedOut("the total time limit has passed", hint="Allow more with total_timeout=.")
