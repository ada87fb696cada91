"""The one way through: plan, ask, read, shape; and again where it failed (see `recovery`)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from hfgen.errors import HfgenError, StreamError
from hfgen.events import Event
from hfgen.providers.recovery import Recovery, Way, waiting
from hfgen.transport.retry import BUDGET, RetryBudget
from hfgen.wire import Exchange


async def stream(
    ways: Sequence[Way], exchange: Exchange, *, total: float | None = None, budget: RetryBudget = BUDGET
) -> AsyncGenerator[Event, None]:
    """Yield the answer's events; the last is its one `FinishReason`.

    Args:
        ways: Plans the request, for each endpoint that may answer it.
        exchange: The network.
        total: Seconds for all of it, or None.
        budget: Limits the retries of the whole process.

    Raises:
        HfgenError: Before the first payload any of the tree; after it a `StreamError` with the text so far.
    """
    deadline = None if total is None else asyncio.get_running_loop().time() + total
    recovery = Recovery(ways, exchange, deadline, budget)
    while True:
        try:
            async with await recovery.attempt() as attempt:
                while events := await attempt.read():
                    for event in events:
                        yield event
        except HfgenError as failed:
            error = failed
        else:
            break
        try:
            wait = recovery.after(error)
        except StreamError:
            for event in recovery.rest():
                yield event
            raise
        if wait:
            yield waiting(error)
        await asyncio.sleep(wait)
    for event in recovery.end():
        yield event
