"""The pictures of one call: few requests side by side, and one stream of what they have to say."""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

from msgspec.structs import replace

from hfgen.errors import (
    BadRequest,
    ContentFiltered,
    GenerationError,
    HfgenError,
    MissingAuth,
    ModelNotSupportedError,
    PaymentRequired,
    ServerError,
    UsageError,
)
from hfgen.events import Event, Finish, FinishReason, ImageResponse, Progress, Usage
from hfgen.generation import Generation
from hfgen.providers.job import Job
from hfgen.providers.notices import say_dropped
from hfgen.providers.places import Terms
from hfgen.providers.routes import Route
from hfgen.wire import WireRequest, named

_log: Final = logging.getLogger("hfgen.route")
_MOST_AT_ONCE: Final = 4
_SEEDS: Final = 2**32
_DRAWN: Final = 31  # bits: some servers hold a seed in a signed number
_ASKED_FOR: Final = "It was asked for a picture."
_ALIKE: Final = (MissingAuth, PaymentRequired, ModelNotSupportedError, UsageError)  # the next would end the same way


class Jobs:
    """Reads as an `Attempt` does: an async context manager, whose `read` gives what has come.

    Leaving it ends every job that still runs. One that fails ends none of the others: their pictures are handed out,
    and then its error is raised.

    Args:
        asked: What is asked; its `prompt` says what to paint.
        route: Of whom, and in which language.
        terms: What all jobs share.
    """

    def __init__(self, asked: Generation, route: Route, terms: Terms) -> None:
        self._asked = asked
        self._route = route
        self._terms = terms
        self._events: list[Event] = []
        self._came = asyncio.Event()
        self._progress: Progress | None = None
        self._pictures = 0
        self._usages: list[Usage] = []
        self._reason: Finish = "stop"
        self._errors: list[Exception] = []
        self._tasks: set[asyncio.Task[None]] = set()
        parts = tuple(_requests(asked, route))
        dropped = dict.fromkeys(name for _, request in parts for name in request.dropped)
        say_dropped(route.target.name, dropped, strict=asked.strict)
        self._left_out = tuple(dropped)
        self._jobs = [self._job(part, request) for part, request in parts]
        self._waiting = deque(self._jobs)

    @property
    def accepted(self) -> bool:
        """Whether a server has taken any of it: then nothing is asked of another one."""
        return any(job.accepted for job in self._jobs)

    @property
    def sent(self) -> int:
        """How many requests were sent, polls apart."""
        return sum(job.sent for job in self._jobs)

    async def __aenter__(self) -> Self:
        target = self._route.target
        _log.info("asking %s for %s: %s", target.name, target.model or "?", self._route.dialect.name)
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))  # not gather: cancelled in its turn, it would cut their farewells

    async def read(self) -> list[Event]:
        """The events that have come, at least one; none when all the pictures are there.

        Raises:
            HfgenError: What went wrong, after all that came was handed out.
        """
        while not self._events and self._tasks:
            self._came.clear()
            await self._came.wait()
        if self._events:
            events, self._events = self._events, []
            return events
        if self._errors:
            raise self._error()
        return []

    def end(self) -> list[Event]:
        """The last events: what it cost, where that was told, and the one end."""
        told = self._usages
        usage = Usage(
            prompt_tokens=sum(one.prompt_tokens for one in told),
            completion_tokens=sum(one.completion_tokens for one in told),
        )
        target = self._route.target
        end = FinishReason(self._reason, target.model, target.name, self.sent, left_out=self._left_out)
        return [usage, end] if told else [end]

    def _say(self, event: Event) -> None:
        match event:
            case FinishReason():
                self._reason = self._reason if event.reason == "stop" else event.reason
                return
            case Usage():
                self._usages.append(event)
                return
            case Progress():
                if event == self._progress:
                    return
                self._progress = event
            case ImageResponse():
                self._pictures += 1
                self._progress = None
            case _:
                pass
        self._events.append(event)
        self._came.set()

    def _job(self, part: Generation, request: WireRequest) -> Job:
        return Job(part, self._route, request, self._terms, self._say)

    def _start(self) -> None:
        for _ in range(min(len(self._waiting), _MOST_AT_ONCE - len(self._tasks))):
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._done)

    async def _work(self) -> None:
        """One job after the other, until none waits."""
        while self._waiting:
            job = self._waiting.popleft()
            try:
                await job.run()
                self._top_up(job.missing)
            except HfgenError as error:
                self._errors.append(error)
                if isinstance(error, _ALIKE) or (
                    isinstance(error, BadRequest) and not isinstance(error, ContentFiltered)
                ):
                    self._waiting.clear()

    def _top_up(self, missing: int) -> None:
        """Ask one by one for what one request did not bring: some models make one picture, whatever `n` says.

        Raises:
            ServerError: All of them would be the same.
        """
        if missing and _seed_in(self._asked.extra):
            raise ServerError("the server makes fewer at once than were asked for, and extra_data names one seed")
        one = replace(self._asked, picture=replace(self._asked.picture, n=1))
        more = [self._job(one, self._route.dialect.encode(one, self._route.target)) for _ in range(missing)]
        self._jobs += more
        self._waiting.extend(more)
        self._start()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._errors.append(error)
        self._came.set()

    def _error(self) -> Exception:
        """The first, and how many pictures came in spite of it."""
        error = self._errors[0]
        if isinstance(error, ModelNotSupportedError) and not error.hint.startswith(_ASKED_FOR):
            error.hint = f"{_ASKED_FOR} {error.hint}"
        if not self._pictures or not isinstance(error, HfgenError):
            return error
        count = self._asked.picture.n
        failed = GenerationError(f"{self._pictures} of {count} pictures came: {error.message}", hint=error.hint)
        failed.__cause__ = error
        failed.retry_after = error.retry_after
        return failed.at(server=error.server, model=error.model, request_id=error.request_id, attempts=self.sent)


def _requests(asked: Generation, route: Route) -> Iterator[tuple[Generation, WireRequest]]:
    """As few as the dialect allows, each with a seed of its own.

    Raises:
        UsageError: `extra_data` names a seed, which would be the same for all.
    """
    dialect = route.dialect
    if asked.picture.n > dialect.most and _seed_in(asked.extra):
        raise UsageError(
            "extra_data names a seed, and each picture is a request of its own: all would be the same picture",
            hint="Give seed= in its place, which counts on for each picture.",
        )
    for first in range(0, asked.picture.n, dialect.most):
        count = min(dialect.most, asked.picture.n - first)
        sampling = replace(asked.sampling, seed=_seed(asked, first, drawn=dialect.seeds))
        part = replace(asked, sampling=sampling, picture=replace(asked.picture, n=count))
        key = asked.idempotency_key if not first else ""  # the others have a body of their own
        yield part, named(dialect.encode(part, route.target), key)


def _seed(asked: Generation, place: int, *, drawn: bool) -> int | None:
    """The given one and those that follow it; else one that is drawn, so that the picture can be made again."""
    if asked.sampling.seed is not None:
        return (asked.sampling.seed + place) % _SEEDS
    return secrets.randbits(_DRAWN) if drawn and not _seed_in(asked.extra) else None


def _seed_in(extra: Mapping[str, Any]) -> bool:
    return "seed" in extra or any(isinstance(value, Mapping) and "seed" in value for value in extra.values())
