"""How long silence may last, by one coarse timer for each wait.

A limit is judged only after the event loop has had the chance to take what the socket holds: a loop that was blocked,
or a process that was stopped, for longer than the limit has heard nothing, and that is not the server's silence.
"""

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from hfgen.errors import HfgenError, TimedOut
from hfgen.limits import Limits

if TYPE_CHECKING:
    import aiohttp

_LOOKS: Final = 10  # turns of the loop: enough for bytes to go from the socket through TLS and the parser to the reader
_TICK: Final = 0.001  # seconds; a timer may fire so much too early


class HeadWait:
    """Bounds the wait for a connection (`limits.connect`) and for an answer's whole head (`limits.first_token`).

    An async context manager around the sending; what ends the wait early is raised in the place of the cancellation.

    Attributes:
        since: When the request went out, on the loop's clock.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._fires = math.inf
        self._due = math.inf
        self._limit = 0.0
        self._looks = _LOOKS
        self._error: Callable[[str, float], HfgenError] = _no_connection  # a bound method would make a cycle
        self._reason: HfgenError | None = None
        self.since = self._loop.time()

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in one
        self._task = task
        self._cancelling = task.cancelling()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._reason is not None and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._reason from None

    def begin(self) -> None:
        """The request goes out now."""
        self.since = self._loop.time()

    def connecting(self) -> None:
        """A connection is looked for."""
        self._set(self._loop.time(), self._limits.connect, _no_connection)

    def connected(self) -> None:
        """There is a connection: the head is waited for, however many bytes of it come one by one."""
        self._set(self.since, self._limits.first_token, _no_head)

    def give_up(self, reason: HfgenError) -> None:
        """End the wait with an error."""
        if self._reason is None:
            self._stop()
            self._reason = reason
            self._task.cancel()

    def _set(self, since: float, limit: float | None, error: Callable[[str, float], HfgenError]) -> None:
        """Time this wait; a timer that fires before stays, and is set again when it does."""
        self._limit, self._error, self._looks = limit or 0.0, error, _LOOKS
        self._due = math.inf if limit is None else since + limit
        if self._due < self._fires:
            self._arm()

    def _arm(self) -> None:
        self._stop()
        self._fires = self._due
        self._timer = self._loop.call_at(self._due, self._fire)

    def _stop(self) -> None:
        self._fires = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._fires = 0.0
        if self._due == math.inf:
            self._stop()
        elif self._due > self._loop.time() + _TICK:
            self._arm()
        elif self._looks:
            self._looks -= 1
            self._timer = self._loop.call_soon(self._fire)
        else:
            self.give_up(self._error(self._name, self._limit))


def _no_connection(name: str, limit: float) -> HfgenError:
    return TimedOut(
        f"no connection to {name} within {limit:g} s",
        hint="Check the address and the network, or allow more with connect_timeout=.",
    )


def _no_head(name: str, limit: float) -> HfgenError:
    return TimedOut(
        f"{name} did not begin to answer within {limit:g} s",
        hint="Allow more with first_token_timeout= or timeout=.",
    )


class Silence:
    """Ends the reading of a body that has waited too long, by one timer that is set again only when it fires.

    What holds nothing (comments, events without a payload) prolongs the wait, but to no more than twice the limit: a
    server that pings for ever and says nothing is silent too. The first wait counts from the request, as
    `limits.first_token` does.
    """

    def __init__(self, content: "aiohttp.StreamReader", limits: Limits, since: float) -> None:
        self._content = content
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._first = True
        self._came = False  # something since the wait before
        self._waiting = False
        self._since = since
        self._heard = 0.0
        self._looks = _LOOKS
        self._timer: asyncio.Handle | None = None
        self._due = 0.0

    def begin(self) -> None:
        """A wait for something to read begins."""
        self._heard = now = self._loop.time()
        if self._came:
            self._since = now
            self._first = self._came = False
        limit = self._limit
        if limit is None:
            return
        self._waiting = True
        due = self._next(limit)
        if self._timer is None or self._due > due:  # none runs, or it was set for a longer limit
            self._set(due)

    def bare(self) -> None:
        """Bytes came, and nothing in them."""
        if self._waiting:
            self._heard = self._loop.time()

    def end(self) -> None:
        """The wait is over: something came."""
        self._waiting, self._came = False, True

    def resume(self) -> None:
        """What ended the wait held nothing: the next one goes on from where it began."""
        self._came = False

    def close(self) -> None:
        """Nothing is waited for any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _limit(self) -> float | None:
        return self._limits.first_token if self._first else self._limits.idle

    def _next(self, limit: float) -> float:
        return min(self._heard + limit, self._since + 2 * limit)

    def _set(self, due: float) -> None:
        self.close()
        self._due = due
        self._looks = _LOOKS
        self._timer = self._loop.call_at(due, self._fire)

    def _fire(self) -> None:
        self._timer = None
        limit = self._limit
        if limit is None or self._content.is_eof():
            return
        due = self._next(limit) if self._waiting else self._loop.time() + limit
        if due > self._loop.time() + _TICK:
            self._set(due)
        elif self._looks:
            self._looks -= 1
            self._timer = self._loop.call_soon(self._fire)
        else:
            self._content.set_exception(self._silent(limit))

    def _silent(self, limit: float) -> TimedOut:
        what = "begin its answer" if self._first else "go on with its answer"
        option = "first_token_timeout" if self._first else "idle_timeout"
        return TimedOut(f"the server did not {what} within {limit:g} s", hint=f"Allow more with {option}= or timeout=.")
