"""The one way through: plan, ask, read, shape; and again where it failed (see `recovery`)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import NamedTuple

from hfgen.errors import HfgenError, StreamError
from hfgen.events import Event
from hfgen.providers.notices import waiting
from hfgen.providers.recovery import Recovery, Way
from hfgen.transport.retry import BUDGET, RetryBudget
from hfgen.wire import Exchange


class Call(NamedTuple):
    """What an answer needs.

    Attributes:
        ways: Plans the request, for each endpoint that may answer it.
        exchange: The network.
        news: Events for the caller before any of the answer.
    """

    ways: Sequence[Way]
    exchange: Exchange
    news: Sequence[Event] = ()


async def batches(
    opening: AbstractAsyncContextManager[Call],
    *,
    total: float | None = None,
    budget: RetryBudget = BUDGET,
    retry: bool = True,
) -> AsyncGenerator[Sequence[Event], None]:
    """Yield what has come of the answer, each time that some has; the last event is its one `FinishReason`.

    Args:
        opening: Held open as long as the answer is read.
        total: Seconds for all of it, or None.
        budget: Limits the retries of the whole process.
        retry: Whether what failed before its first payload is asked again.

    Raises:
        HfgenError: Before the first payload any of the tree; after it a `StreamError` with the text so far.
    """
    deadline = None if total is None else asyncio.get_running_loop().time() + total
    async with opening as call:
        recovery = Recovery(call.ways, call.exchange, deadline, budget, retry=retry)
        news, wait = call.news, 0.0
        while True:
            if news:
                yield news
            await _pause(wait)
            try:
                async with await recovery.attempt() as attempt:
                    while events := await attempt.read():
                        yield events
            except HfgenError as failed:
                error = failed
            else:
                break
            try:
                wait = recovery.after(error)
            except StreamError:
                if rest := recovery.rest():
                    yield rest
                raise
            news = (waiting(error),) if wait else ()
        yield recovery.end()


async def stream(
    opening: AbstractAsyncContextManager[Call],
    *,
    total: float | None = None,
    budget: RetryBudget = BUDGET,
    retry: bool = True,
) -> AsyncGenerator[Event, None]:
    """As `batches`, event by event.

    The caller iterates this very generator: one more around it would cost every token some 0.15 µs.
    """
    async with aclosing(batches(opening, total=total, budget=budget, retry=retry)) as answer:
        async for events in answer:
            for event in events:
                yield event


async def _pause(seconds: float) -> None:
    if seconds:  # even a sleep of none takes a turn of the event loop
        await asyncio.sleep(seconds)
