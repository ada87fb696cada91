"""Servers and a runner in simulated time: hours of a batch in a second, each run alike."""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from hfgen.batch.pacing.allowance import Need
from hfgen.batch.pacing.pace import Lane, Outcome, Pace, Ticket
from hfgen.errors import HfgenError, ModelLoading, RateLimited, ServerError, TimedOut
from hfgen.events import Usage

LANE = Lane("http://server", "m")
NEED = Need(50, 200)
USAGE = Usage(50, 100)

Answer = Callable[[Outcome], None]


class Time:
    """Things that are to happen, in order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._order = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), happens))

    def step(self) -> bool:
        if not self._events:
            return False
        self.now, _, happens = heapq.heappop(self._events)
        happens()
        return True


class Server(Protocol):
    def ask(self, time: Time, answer: Answer) -> None: ...


@dataclass
class Slots:
    """Works on so many requests at once; the others queue."""

    slots: int
    seconds: float = 2.0
    first: float = 0.2
    spread: float = 0.3
    seed: int = 1
    _busy: int = 0
    _queue: deque[tuple[float, Answer]] = field(default_factory=deque[tuple[float, Answer]])

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def ask(self, time: Time, answer: Answer) -> None:
        self._queue.append((time.now, answer))
        self._next(time)

    def _next(self, time: Time) -> None:
        while self._queue and self._busy < self.slots:
            self._busy += 1
            self._work(time, *self._queue.popleft())

    def _work(self, time: Time, came: float, answer: Answer) -> None:
        first = self.first * self.random.lognormvariate(0, self.spread)
        seconds = first + self.seconds * self.random.lognormvariate(0, self.spread)
        outcome = Outcome(first_token=time.now - came + first, usage=USAGE)
        time.after(seconds, lambda: self._done(time, answer, outcome))

    def _done(self, time: Time, answer: Answer, outcome: Outcome) -> None:
        self._busy -= 1
        answer(outcome)
        self._next(time)


@dataclass
class Batching:
    """Works on all at once, as vLLM does: each is the slower the more there are, and yet they bring more in all."""

    half: int = 32
    seconds: float = 2.0
    first: float = 0.1
    seed: int = 1
    _busy: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def ask(self, time: Time, answer: Answer) -> None:
        self._busy += 1
        slower = 1 + self._busy / self.half
        noise = self.random.lognormvariate(0, 0.2)
        first = self.first * slower * noise
        outcome = Outcome(first_token=first, usage=USAGE)

        def done() -> None:
            self._busy -= 1
            answer(outcome)

        time.after(first + self.seconds * slower * noise, done)


@dataclass
class Limited:
    """Refuses what is more than so many a minute; by fixed minutes, or by a bucket that fills steadily."""

    beyond: Server
    rate: float
    fixed: bool = False
    tells: bool = True
    refusals: int = 0
    _left: float = math.nan
    _at: float = 0.0

    def ask(self, time: Time, answer: Answer) -> None:
        if math.isnan(self._left):
            self._left = self.rate
        if self.fixed:
            if time.now // 60 != self._at // 60:
                self._left = self.rate
            wait = 60 - time.now % 60
        else:
            self._left = min(self.rate, self._left + (time.now - self._at) * self.rate / 60)
            wait = (1 - self._left) * 60 / self.rate
        self._at = time.now
        if self._left >= 1:
            self._left -= 1
            self.beyond.ask(time, answer)
            return
        self.refusals += 1
        error = RateLimited("slow down", status=429, retry_after=wait if self.tells else None)
        time.after(0.02, lambda: answer(Outcome(error)))


@dataclass
class Loading:
    """Says for a while that its model is being loaded, or holds the requests until it is."""

    beyond: Server
    until: float
    holds: bool

    def ask(self, time: Time, answer: Answer) -> None:
        wait = self.until - time.now
        if wait <= 0:
            self.beyond.ask(time, answer)
        elif self.holds:
            came = time.now

            def late(outcome: Outcome) -> None:
                first = outcome.first_token or 0.0
                answer(outcome._replace(first_token=first + self.until - came))

            time.after(wait, lambda: self.beyond.ask(time, late))
        else:
            error = ModelLoading("loading", status=503, retry_after=min(10.0, wait))
            time.after(0.02, lambda: answer(Outcome(error)))


@dataclass
class Noisy:
    """Now and then an error of no meaning."""

    beyond: Server
    share: float
    make: Callable[[], HfgenError] = lambda: ServerError("oops", status=500)
    seed: int = 2

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def ask(self, time: Time, answer: Answer) -> None:
        if self.random.random() < self.share:
            time.after(0.1, lambda: answer(Outcome(self.make())))
        else:
            self.beyond.ask(time, answer)


@dataclass
class Impatient:
    """A time limit before the first token: what waits longer is an error, and its work is lost."""

    beyond: Server
    limit: float

    def ask(self, time: Time, answer: Answer) -> None:
        def in_time(outcome: Outcome) -> None:
            late = (outcome.first_token or 0.0) > self.limit
            answer(Outcome(TimedOut("no first token in time")) if late else outcome)

        self.beyond.ask(time, in_time)


@dataclass
class Run:
    """A job in simulated time, with a runner that does what a runner should."""

    pace: Pace
    server: Server
    rows: int
    need: Need = NEED
    time: Time = field(default_factory=Time)
    starts: list[float] = field(default_factory=list[float])
    recorded: int = 0
    failed: int = 0
    stopped: bool = False
    seen: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def go(self) -> float:
        """Seconds until the job is done or stands still."""
        began = self.time.now
        self._fresh = self.rows
        self._again: deque[int] = deque()
        self._woken = math.inf
        self._fill()
        while self.recorded < self.rows and not self.stopped and self.time.step():
            self._fill()
        return self.time.now - began

    def _fill(self) -> None:
        now = self.time.now
        while self._fresh or self._again:
            wait = self.pace.ready(LANE, self.need, now)
            if wait == 0:
                attempts = self._again.popleft() if self._again else 1
                self._fresh -= attempts == 1
                self._start(attempts)
            else:
                if wait < math.inf and not now <= self._woken <= now + wait:
                    self._woken = now + wait
                    self.time.after(wait, self._wake)
                return

    def _wake(self) -> None:
        self._woken = math.inf

    def _start(self, attempts: int) -> None:
        ticket = self.pace.start(LANE, self.need, self.time.now, attempts)
        self.starts.append(self.time.now)
        self.seen.append((self.time.now, self.pace.under_way))
        self.server.ask(self.time, lambda outcome: self._done(ticket, outcome))

    def _done(self, ticket: Ticket, outcome: Outcome) -> None:
        told = self.pace.done(ticket, outcome, self.time.now)
        match told.action:
            case "record":
                self.recorded += 1
                self.failed += outcome.error is not None
            case "again":
                self.time.after(told.wait, lambda: self._again.append(told.attempts))
            case "stop":
                self.stopped = True


def seconds_of(pace: Pace, server: Server, rows: int) -> tuple[float, Run]:
    run = Run(pace, server, rows)
    return run.go(), run
