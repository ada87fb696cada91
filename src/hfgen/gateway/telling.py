"""From a model's events to a caller's bytes: one answer, or `n` of them side by side, streamed or gathered."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from starlette.types import Receive

from hfgen.errors import HfgenError
from hfgen.events import Event
from hfgen.gateway.outbox import Outbox, hung_up
from hfgen.openai_api.refusal import STOPPED, Refusal, refusal
from hfgen.openai_api.wording import Wording

Events = AsyncGenerator[Sequence[Event], None]
"""The events of one answer, those together that came together."""


class CallerGone(Exception):
    """The caller hung up, so nobody hears the answer."""


async def stream(
    answers: Sequence[tuple[Events, Wording]],
    end: Callable[[], bytes],
    fault: Callable[[Refusal], bytes],
    outbox: Outbox,
    receive: Receive,
) -> None:
    """Send the answers as they come, and close their generators whatever happens.

    Args:
        answers: The events of each answer, and how they are worded.
        end: The bytes after the last of them.
        fault: The bytes of an error after the first byte.
        outbox: To the caller.
        receive: ASGI's; tells when the caller hangs up.

    Raises:
        Refusal: An error before the first byte, which still can be a status.
        CallerGone: The caller hung up.
    """
    telling = asyncio.create_task(_tell(answers, end, fault, outbox))
    leaving = asyncio.create_task(hung_up(receive))
    try:
        await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            raise CallerGone
        telling.result()
    except asyncio.CancelledError:  # the gateway stops, and this answer has had its time
        await _ended(telling)
        await outbox.break_off(fault(STOPPED))
        raise
    finally:
        await _ended(telling, leaving)
        await outbox.close()


async def gathered(answers: Sequence[Events], receive: Receive) -> list[list[Event]]:
    """All events of each answer.

    Raises:
        Refusal: One of them failed.
        CallerGone: The caller hung up meanwhile.
    """
    gathering = [asyncio.create_task(_all(events)) for events in answers]
    leaving = asyncio.create_task(hung_up(receive))
    together = asyncio.gather(*gathering)
    try:
        await asyncio.wait((together, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not together.done():
            raise CallerGone
        return together.result()
    except HfgenError as error:
        raise refusal(error) from error
    finally:
        together.cancel()
        await _ended(*gathering, leaving)


async def _tell(
    answers: Sequence[tuple[Events, Wording]],
    end: Callable[[], bytes],
    fault: Callable[[Refusal], bytes],
    outbox: Outbox,
) -> None:
    failed: HfgenError | None = None
    try:
        if len(answers) == 1:
            await _say(*answers[0], outbox)
        else:
            async with asyncio.TaskGroup() as group:
                for events, wording in answers:
                    group.create_task(_say(events, wording, outbox))
    except* HfgenError as several:
        failed = _first(several)
    if failed is not None and not outbox.begun:
        raise refusal(failed) from failed
    await outbox.end(end() if failed is None else fault(refusal(failed)))


async def _say(events: Events, wording: Wording, outbox: Outbox) -> None:
    async with aclosing(events):
        async for batch in events:
            if data := wording.chunks(batch):
                await outbox.send(data)


async def _all(events: Events) -> list[Event]:
    async with aclosing(events):
        return [event async for batch in events for event in batch]


def _first(failed: BaseExceptionGroup[HfgenError]) -> HfgenError:
    first = failed.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _ended(*tasks: "asyncio.Task[object]") -> None:
    """Cancel what still runs and wait for it: a generator is closed, and its server stops, before this returns."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
