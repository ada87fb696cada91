"""What becomes of a failure: before the first payload a request is repeated, after it the answer is continued.

No text is ever asked for again once it was handed out; a continuation that cannot be checked against it is none.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from hfgen.errors import (
    BadRequest,
    GenerationError,
    HfgenError,
    PromptError,
    ResponseError,
    StreamError,
    TimedOut,
    TruncatedStream,
    UsageError,
)
from hfgen.events import Event, Progress, Resumed
from hfgen.generation import Generation
from hfgen.providers.attempt import Attempt, out_of_time
from hfgen.providers.continuing import DRAWS, Continuation, Form, continued, forms, left_to_the_caller, rendered
from hfgen.providers.jobs import Jobs
from hfgen.providers.notices import say_dropped
from hfgen.providers.places import Terms
from hfgen.providers.plan import Plan
from hfgen.providers.routes import Route
from hfgen.providers.seam import Join, NotContinued
from hfgen.providers.shape import Shape
from hfgen.transport.retry import RetryBudget, retryable, wait_before
from hfgen.wire import Exchange, named

Way: TypeAlias = Callable[[], Awaitable[Plan]]
"""Plans the request for one endpoint. It is asked before each attempt: an engine may have been started anew since."""

_log: Final = logging.getLogger("hfgen.route")
_MOST_FRUITLESS: Final = 3  # continuations in a row that bring no new text
_MOST_RESUMED: Final = 100
_HEAL: Final = "With heal=True hfgen asks this server too for the rest, and checks it against the text that came."
_MOST_SILENCE: Final = 300.0  # seconds of waiting for a first token, over all attempts


class Request(NamedTuple):
    """What is asked, and of whom."""

    generation: Generation
    route: Route


class Recovery:
    """One call on its way to an answer, over as many attempts and endpoints as it takes.

    Args:
        ways: The endpoints, the preferred one first; all of them serve the same model.
        exchange: The network.
        deadline: On the event loop's clock, or None.
        budget: Limits the retries of the whole process.
        retry: Whether the whole answer is asked for again where no endpoint gave any of it.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        exchange: Exchange,
        deadline: float | None,
        budget: RetryBudget,
        *,
        retry: bool = True,
    ) -> None:
        self._ways = ways
        self._exchange = exchange
        self._deadline = deadline
        self._budget = budget
        self._retry = retry
        self._attempts = 0
        self._place = 0
        self._plan: Plan | None = None
        self._shape = Shape()
        self._cut: HfgenError | None = None  # what the answer last broke off with
        self._had = 0  # pieces of text that had come by then
        self._fruitless = 0
        self._resumed = 0
        self._ruled_out: dict[tuple[int, Form], HfgenError] = {}
        self._form: Form | None = None
        self._jobs: Jobs | None = None
        self._left_out: tuple[str, ...] = ()

    async def attempt(self) -> Attempt | Jobs:
        """The next attempt: at the whole answer, or at the rest of it; pictures come as jobs.

        Raises:
            HfgenError: It cannot be planned, or no endpoint can go on with the answer.
        """
        self._attempts += 1
        self._form = None
        self._jobs = None
        if not self._shape.started:
            self._plan = await self._planned()
            if self._plan.route.dialect.paints:
                self._jobs = self._painting(self._plan)
                return self._jobs
            self._shape = _shape(self._plan)
            told = self._attempts > 1 or not self._plan.trimmed
            news = () if told else (Progress("trimmed", self._plan.trimmed),)
            return self._asking(Request(self._plan.generation, self._plan.route), news=news)
        for _ in self._ways:
            plan = await self._planned()
            raw = await rendered(plan)
            self._form = self._next_form(plan, raw)
            if self._form is not None:
                self._plan = plan
                return self._continuing(await self._rest(plan, raw, self._form))
            self._place += 1
        self._attempts -= 1  # nothing was sent
        raise NotContinued("there is no way to go on from this text on this server")

    def end(self) -> list[Event]:
        """The last events of a complete answer."""
        assert self._plan is not None  # noqa: S101 - there was an attempt
        target = self._plan.route.target
        if self._jobs is not None:
            self._budget.succeeded(target.base)
            return self._jobs.end()
        self._budget.succeeded(target.base, self._attempts)
        return list(self._shape.end(target.model, target.name, self._attempts, self._left_out))

    def rest(self) -> list[Event]:
        """What was held back and now comes before the error."""
        return list(self._shape.flush())

    def after(self, error: HfgenError) -> float:
        """Seconds to wait before the next attempt.

        Raises:
            HfgenError: There is none: what the caller gets.
        """
        if self._plan is not None:
            target = self._plan.route.target
            error.at(server=target.name, model=target.model)
        if self._jobs is not None:
            return self._paint_elsewhere_after(error, self._jobs)
        error.at(attempts=self._attempts)
        return self._go_on_after(error) if self._shape.started else self._repeat_after(error)

    async def _planned(self) -> Plan:
        way = self._ways[self._place % len(self._ways)]
        if self._deadline is None:
            return await way()
        try:
            async with asyncio.timeout_at(self._deadline):
                return await way()
        except TimeoutError as error:
            raise (error if isinstance(error, HfgenError) else out_of_time()) from error

    def _next_form(self, plan: Plan, raw: Plan | None) -> Form | None:
        first = self._plan
        if first is not None and plan.route.target.model != first.route.target.model:
            return None  # another model's words are no continuation
        place = self._place % len(self._ways)
        return next((form for form in forms(plan, raw, self._shape) if (place, form) not in self._ruled_out), None)

    def _asking(self, asked: Request, join: tuple[Join, Resumed] | None = None, news: Sequence[Event] = ()) -> Attempt:
        generation, route = asked
        request = route.dialect.encode(generation, route.target)
        if join is None:
            request = named(request, generation.idempotency_key)
        say_dropped(route.target.name, request.dropped, strict=generation.strict)
        self._left_out = request.dropped
        target = route.target
        _log.info("asking %s for %s: %s, %s", target.name, target.model or "?", route.dialect.name, request.url)
        return Attempt(generation, route, request, self._exchange, self._shape, self._deadline, join, news)

    async def _rest(self, plan: Plan, raw: Plan | None, form: Form) -> Continuation:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await continued(plan, raw, form, self._shape)
        except NotContinued:
            self._attempts -= 1  # nothing was sent
            raise
        except TimeoutError as error:
            raise (error if isinstance(error, HfgenError) else out_of_time()) from error

    def _continuing(self, rest: Continuation) -> Attempt:
        self._shape.reopen(rest.resent)
        self._resumed += 1
        reason = self._cut.message if self._cut else ""
        return self._asking(
            Request(rest.generation, rest.route), (rest.join, Resumed(self._attempts, reason, rest.route.target.name))
        )

    def _painting(self, plan: Plan) -> Jobs:
        """Jobs repeat what may be repeated themselves; where another endpoint stands in, they leave it to that one."""
        last = self._place + 1 >= len(self._ways)
        terms = Terms(self._exchange, self._deadline, self._budget, repeats=last and self._retry)
        return Jobs(plan.generation, plan.route, terms)

    def _paint_elsewhere_after(self, error: HfgenError, jobs: Jobs) -> float:
        """The next endpoint at once, as long as none has taken any of the work."""
        error.at(attempts=jobs.sent)
        hopeless = isinstance(error, (UsageError, PromptError, BadRequest))
        if hopeless or jobs.accepted or self._place + 1 >= len(self._ways):
            raise error
        self._place += 1
        return 0.0

    def _repeat_after(self, error: HfgenError) -> float:
        """The next endpoint at once, or the same one after a while."""
        if isinstance(error, (UsageError, PromptError, BadRequest)):
            raise error
        self._place += 1
        if self._place < len(self._ways):
            return 0.0
        if not self._retry:
            raise error
        wait = wait_before(error, self._attempts, self._endpoint(error), self._budget)
        if wait is None or self._too_late(wait) or self._waited_enough(error):
            raise error
        return wait

    def _waited_enough(self, error: HfgenError) -> bool:
        """Who allows a long silence does not want to wait for it again and again."""
        limit = self._plan.generation.limits.first_token if self._plan else None
        return isinstance(error, TimedOut) and self._attempts * (limit or math.inf) >= _MOST_SILENCE

    def _go_on_after(self, error: HfgenError) -> float:
        """At once where text has come since the last break, after a while where none has."""
        came = len(self._shape.received)
        if self._cut is None or came > self._had:
            self._cut, self._had, self._fruitless = error, came, 0
            if not retryable(error) or self._resumed >= _MOST_RESUMED or self._too_late(0.0):
                raise self._broken(error)
            self._place += 1
            return 0.0
        if self._form is None and isinstance(error, NotContinued):
            raise self._broken(next(reversed(self._ruled_out.values()), error))
        if self._form is not None and (isinstance(error, NotContinued) or not retryable(error)):
            draws = (self._form.draw,) if isinstance(error, NotContinued) else range(DRAWS)  # refused once is for good
            for draw in draws:
                self._ruled_out[self._place % len(self._ways), self._form._replace(draw=draw)] = error
            return 0.0
        self._fruitless += 1
        self._place += 1
        wait = wait_before(error, self._fruitless, self._endpoint(error), self._budget)
        if wait is None or self._fruitless >= _MOST_FRUITLESS or self._too_late(wait):
            raise self._broken(error)
        return wait

    def _endpoint(self, error: HfgenError) -> str:
        """Whose retries these are: of the server that was planned for, or of the one that could not be asked."""
        return self._plan.route.target.base if self._plan else error.server

    def _too_late(self, wait: float) -> bool:
        return self._deadline is not None and asyncio.get_running_loop().time() + wait >= self._deadline

    def _broken(self, error: HfgenError) -> StreamError:
        """What the answer broke off with, and why it did not go on; it carries the text."""
        cut, plan = self._cut or error, self._plan
        kind = GenerationError if isinstance(cut, (ResponseError, GenerationError)) else TruncatedStream
        hint = _HEAL if plan is not None and retryable(cut) and left_to_the_caller(plan, self._shape) else cut.hint
        unasked = hint is _HEAL or (plan is not None and plan.generation.heal is False)
        why = "" if error is cut or unasked else f"; {_why(cut, error)}"
        broken = kind(f"the answer broke off: {cut.message}{why}", hint=hint, partial=self._shape.text)
        broken.__cause__ = cut if unasked else error
        broken.retry_after = error.retry_after
        return broken.at(server=cut.server, model=cut.model, request_id=cut.request_id, attempts=self._attempts)


def _why(cut: HfgenError, last: HfgenError) -> str:
    """Why it did not go on."""
    if last.message == cut.message:
        return "asking for the rest of it ended in the same way"
    return f"it could not be continued: {last.message}"


def _shape(plan: Plan) -> Shape:
    """Raw answers to a conversation begin with the tokenizer's white space; nothing else is ever trimmed."""
    asked, dialect = plan.generation, plan.route.dialect
    rendered = dialect.raw and bool(asked.messages) and not asked.continues
    return Shape(stop=asked.sampling.stop, thinking=plan.thinking, trim=rendered)
