"""How fast a job goes: one front for slots, cooldowns, allowances, repeats and money.

It holds no task, no timer and no clock. A runner asks `ready` before a row starts, says `start` and `done`, and sleeps
as long as it is told; each `done` may make another row ready before that.
"""

import math
from typing import Final, Literal, NamedTuple

from hfgen.batch.pacing.allowance import Allowance, Allowing, Need, Rates
from hfgen.batch.pacing.concurrency import FIRST, MOST, Concurrency, Slot
from hfgen.batch.pacing.cooldown import Cooldown
from hfgen.batch.pacing.repeats import Repeats, fate_of, is_load
from hfgen.batch.pacing.spending import Cost, Spending
from hfgen.batch.pacing.told_limits import ToldLimits
from hfgen.errors import ConnectionFailed, HfgenError, ResponseError, StreamError, TimedOut
from hfgen.events import Usage
from hfgen.transport.retry import retryable
from hfgen.wire import Head

PATIENCE: Final = 900.0
"""Seconds of nothing but refusals, after which a job stops."""
UNMET: Final = 60.0
"""The same where no server has answered anything yet: the address is wrong, or nothing runs there."""
_MOST_LANES: Final = 1000


class Lane(NamedTuple):
    """Who is asked for what: rows of one lane share a pace.

    Attributes:
        server: Any name of it that is the same for all rows, such as the `api_base`.
        model: As the row names it.
    """

    server: str
    model: str


class Ticket(NamedTuple):
    """A row under way; made by `start`, and given back once."""

    lane: Lane
    need: Need
    began: float
    attempts: int
    slot: Slot
    taken: int
    reserved: float


class Outcome(NamedTuple):
    """How it ended.

    Attributes:
        error: What it ended with, None for an answer.
        first_token: Seconds from its start to the first token, None where none came or none is told from the rest.
        usage: What it used, also where it failed; None where nobody said.
        provider: Who answered, by the router's header, or "".
    """

    error: HfgenError | None = None
    first_token: float | None = None
    usage: Usage | None = None
    provider: str = ""


class Next(NamedTuple):
    """What becomes of the row.

    Attributes:
        action: `record` its outcome; ask `again`; or `stop` the job, and record nothing of the row.
        wait: Seconds until it is asked again; it holds no slot meanwhile.
        attempts: For the next `start`.
        cost: Of this attempt, None where it is not known.
    """

    action: Literal["record", "again", "stop"]
    wait: float = 0.0
    attempts: int = 1
    cost: Cost | None = None


class _Course:
    """How it goes in one lane."""

    def __init__(self, first: int, most: int, *, fixed: bool) -> None:
        self.slots = Concurrency(first, most, fixed=fixed)
        self.cooldown = Cooldown()
        self.told = ToldLimits()
        self.met = False  # whether anybody has answered, were it with an error


class Pace:
    """The pace of a job.

    Args:
        first: Requests at once to begin with, in each lane.
        most: Requests at once, never more, over all lanes.
        fixed: Keep `most` requests at once.
        allowance: What may be asked for in a minute; none bounds nothing.
        repeats: The budget for them.
        spending: The bill.
        patience: Seconds of nothing but refusals after which the job stops; also the longest wait that a server may
            ask for.
    """

    def __init__(
        self,
        *,
        first: int = FIRST,
        most: int = MOST,
        fixed: bool = False,
        allowance: Allowing | None = None,
        repeats: Repeats | None = None,
        spending: Spending | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._first = first
        self._most = most
        self._fixed = fixed
        self._allowance = allowance or Allowance(Rates())
        self._patience = patience
        self._lanes: dict[Lane, _Course] = {}
        self.repeats = repeats or Repeats()
        self.spending = spending or Spending({})
        self.under_way = 0

    @property
    def slots(self) -> int:
        """How many requests may be under way now, for people to see."""
        return min(self._most, sum(course.slots.slots for course in self._lanes.values()) or self._first)

    def ready(self, lane: Lane, need: Need, now: float) -> float:
        """Seconds until such a row may start: 0 for now, `math.inf` for not before something under way is done.

        Where nothing is under way and it is `math.inf`, the row is not `affordable`, or waits for a grant.
        """
        course = self._course(lane)
        slots = course.slots
        most = 1 if course.cooldown.probes else slots.slots
        if slots.under_way >= most or self.under_way >= self._most or not self.spending.fits(lane.model, need):
            return math.inf
        return max(course.cooldown.wait(now), course.told.wait(need, now), self._allowance.wait(need, now))

    def affordable(self, lane: Lane, need: Need) -> bool:
        """Whether the bound of the spending leaves room for it, were nothing else under way; if not, the job ends."""
        return self.spending.affordable(lane.model, need)

    def start(self, lane: Lane, need: Need, now: float, attempts: int = 1) -> Ticket:
        """A row starts, which was ready.

        Args:
            lane: Its server and model.
            need: Its prompt's tokens, estimated, and the most that its answer may have.
            now: Seconds, on one clock for all.
            attempts: 1, or what `Next` said.
        """
        course = self._course(lane)
        course.told.take(need)
        self.under_way += 1
        if attempts == 1:
            self.repeats.asked()
        return Ticket(
            lane,
            need,
            now,
            attempts,
            course.slots.start(),
            self._allowance.take(need, now),
            self.spending.reserve(lane.model, need),
        )

    def heard(self, lane: Lane, head: Head, now: float) -> None:
        """The head of an answer to a row of the lane: its limits, if it tells any."""
        if head.model:  # else it is the Hub's, or of a question what the server is
            self._course(lane).told.heard(head.headers, now)

    def left(self, ticket: Ticket) -> None:
        """The row was given up by ourselves; what it used stays counted as the most that it might have."""
        self.under_way -= 1
        self._course(ticket.lane).slots.release()
        most = self.spending.cost(ticket.lane.model, ticket.need)
        self.spending.add(ticket.reserved, None if most is None else Cost(0.0, most.high))

    def done(self, ticket: Ticket, outcome: Outcome, now: float) -> Next:
        """A row ended: its slot is free."""
        self.under_way -= 1
        cost = self._settle(ticket, outcome)
        course = self._course(ticket.lane)
        error = outcome.error
        course.met = course.met or not isinstance(error, ConnectionFailed | TimedOut)
        if error is None:
            course.cooldown.answered(ticket.began)
            course.slots.answered(ticket.slot, outcome.first_token, now - ticket.began)
            return Next("record", attempts=ticket.attempts, cost=cost)
        if isinstance(error, StreamError):
            course.slots.release()
        elif retryable(error):
            burst = course.slots.refused(ticket.slot)
            if burst or course.cooldown.probes:
                course.cooldown.refused(ticket.began, now, error.retry_after)
            elif error.retry_after is not None:
                course.cooldown.asked(now, error.retry_after)
        else:
            course.slots.release()
            if isinstance(error, ResponseError):
                course.cooldown.answered(ticket.began)
        return self._after(ticket, error, course, now)._replace(cost=cost)

    def _after(self, ticket: Ticket, error: HfgenError, course: _Course, now: float) -> Next:
        cooldown, unreached = course.cooldown, isinstance(error, ConnectionFailed)
        patience = min(self._patience, UNMET) if unreached and not course.met else self._patience
        fate, attempts = fate_of(error), ticket.attempts
        if fate != "again":
            return Next(fate, attempts=attempts)
        load, outage = is_load(error), cooldown.bursts > 1
        if cooldown.refusing(now) >= patience or (error.retry_after or 0.0) > self._patience:
            return Next("stop" if load or unreached or not course.met else "record", attempts=attempts)
        if load or outage:  # nothing is wrong with the row, and the cooldown bounds how often it is asked
            wait = 0.0 if outage else self.repeats.wait(attempts, error.retry_after)
            return Next("again", wait, max(2, attempts))
        if self.repeats.take(attempts):
            return Next("again", self.repeats.wait(attempts, error.retry_after), attempts + 1)
        return Next("record", attempts=attempts)

    def _settle(self, ticket: Ticket, outcome: Outcome) -> Cost | None:
        """Count what it used: nothing where it was refused, anything up to its need where nobody said."""
        need, usage, error = ticket.need, outcome.usage, outcome.error
        if usage is not None:
            used = Need(usage.prompt_tokens, usage.completion_tokens)
            cost = self.spending.cost(ticket.lane.model, used, outcome.provider)
        elif error is None or isinstance(error, (StreamError, TimedOut)):
            used = need
            most = self.spending.cost(ticket.lane.model, need, outcome.provider)
            cost = None if most is None else Cost(0.0, most.high)
        else:
            used = Need()  # the router bills no errors (hub-docs, pricing.md)
            cost = self.spending.cost(ticket.lane.model, used)
        self._allowance.settle(ticket.taken, need, used)
        self.spending.add(ticket.reserved, cost)
        return cost

    def _course(self, lane: Lane) -> _Course:
        course = self._lanes.get(lane)
        if course is None:
            if len(self._lanes) >= _MOST_LANES:
                self._forget()
            course = self._lanes[lane] = _Course(self._first, self._most, fixed=self._fixed)
        return course

    def _forget(self) -> None:
        """Lanes in which nothing is under way: so many models are met in passing."""
        for lane in [lane for lane, course in self._lanes.items() if not course.slots.under_way]:
            del self._lanes[lane]
