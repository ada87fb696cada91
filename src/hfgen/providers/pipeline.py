"""The one way through: ask, read, shape. What failed before its first payload is repeated; after it, never."""

import asyncio
from collections.abc import AsyncGenerator

from hfgen.errors import GenerationError, HfgenError, ModelLoading, ResponseError, StreamError, TruncatedStream
from hfgen.events import Event, Progress
from hfgen.generation import Generation
from hfgen.providers.attempt import Attempt
from hfgen.providers.notices import say_dropped
from hfgen.providers.routes import Route
from hfgen.providers.shape import Shape
from hfgen.transport.retry import BUDGET, RetryBudget, wait_before
from hfgen.wire import Exchange


async def stream(
    generation: Generation, route: Route, exchange: Exchange, *, thinking: bool = False, budget: RetryBudget = BUDGET
) -> AsyncGenerator[Event, None]:
    """Yield the answer's events; the last is its one `FinishReason`.

    Args:
        generation: What is asked; its `prompt` is final where the dialect is a raw one.
        route: Language and address.
        exchange: The network.
        thinking: The prompt itself has opened the model's reasoning.
        budget: Limits the retries of the whole process.

    Raises:
        HfgenError: Before the first payload any of the tree; after it a `StreamError` with the text so far.
    """
    target, total = route.target, generation.limits.total
    deadline = None if total is None else asyncio.get_running_loop().time() + total
    request = route.dialect.encode(generation, target)
    say_dropped(target.name, request.dropped, strict=generation.strict)
    attempts = 0
    while True:
        attempts += 1
        shape = _shape(generation, route, thinking=thinking)
        try:
            async with Attempt(generation, route, request, exchange, shape, deadline) as attempt:
                while events := await attempt.read():
                    for event in events:
                        yield event
        except HfgenError as error:
            error.at(server=target.name, model=target.model, attempts=attempts)
            if shape.started:
                for event in shape.flush():
                    yield event
                raise _broken(error, shape) from error
            wait = wait_before(error, attempts, budget)
            if wait is None or (deadline is not None and asyncio.get_running_loop().time() + wait > deadline):
                raise
            yield Progress("loading" if isinstance(error, ModelLoading) else "waiting", detail=error.message)
            await asyncio.sleep(wait)
        else:
            budget.succeeded()
            for event in shape.end(target.model, target.name, attempts):
                yield event
            return


def _shape(generation: Generation, route: Route, *, thinking: bool) -> Shape:
    """Raw answers to a conversation begin with the tokenizer's white space; nothing else is ever trimmed."""
    rendered = route.dialect.raw and bool(generation.messages) and not generation.continues
    return Shape(stop=generation.sampling.stop, thinking=thinking, trim=rendered)


def _broken(error: HfgenError, shape: Shape) -> StreamError:
    """The error of a stream that had begun: it carries the text, and says whether the server gave up or fell silent."""
    if isinstance(error, StreamError):
        broken: StreamError = error
    else:
        kind = GenerationError if isinstance(error, ResponseError) else TruncatedStream
        broken = kind(f"the answer broke off: {error.message}", hint=error.hint)
        broken.at(server=error.server, model=error.model, request_id=error.request_id, attempts=error.attempts)
    broken.partial = shape.text
    return broken
