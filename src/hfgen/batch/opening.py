"""How an engine is opened for a job: that of this machine, on connections of its own or on a caller's."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TypeAlias

from hfgen.batch.answerer import Answerer
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.pricing import prices_for
from hfgen.batch.runner import Engine, Runner
from hfgen.batch.setting import Setting
from hfgen.errors import UsageError
from hfgen.transport.session import Session

Opening: TypeAlias = Callable[[Setting, Budget], AbstractAsyncContextManager[Engine]]
"""Opens an engine for a job that may take so much, and closes it after."""


def check_call(setting: Setting, *, proxy: str | None, session: Session | None) -> None:
    """Refuse what is impossible for every row, before the first of them.

    Raises:
        UsageError: An option that no server could take, or two that contradict each other.
    """
    if proxy is not None and session is not None:
        raise UsageError("proxy= is for connections of the job's own; a session= has its proxy already")
    Session(proxy=proxy)
    Answerer.check(setting)


async def priced(budget: Budget, setting: Setting, proxy: str | None, session: Session | None) -> Budget:
    """The same with prices: those that it has, else the router's.

    Raises:
        UsageError: There is a bound of cost, and no price for the job's model.
    """
    if budget.prices is not None:
        return budget
    async with Session(proxy=proxy) if session is None else nullcontext(session) as shared:
        return replace(budget, prices=await prices_for(setting, shared, budget.max_cost))


def here(proxy: str | None, session: Session | None) -> Opening:
    """An engine in this process.

    Args:
        proxy: For connections of its own.
        session: Connections shared with others, left open; None for its own.
    """

    @asynccontextmanager
    async def opened(setting: Setting, budget: Budget) -> AsyncGenerator[Engine, None]:
        async with Session(proxy=proxy) if session is None else nullcontext(session) as shared:
            runner = Runner(Answerer(shared, setting), budget.pace())
            with shared.telling(runner.heard):
                yield runner

    return opened
