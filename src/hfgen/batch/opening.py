"""How an engine is opened for a job: that of this machine, on connections of its own or on a caller's."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import NamedTuple, TypeAlias

from hfgen.batch.allowance import Allowance
from hfgen.batch.answerer import Answerer
from hfgen.batch.pace import Pace
from hfgen.batch.pricing import prices_for
from hfgen.batch.runner import Engine, Runner
from hfgen.batch.setting import Setting
from hfgen.batch.spending import Prices, Spending
from hfgen.errors import UsageError
from hfgen.transport.session import Session

Opening: TypeAlias = Callable[[Setting], AbstractAsyncContextManager[Engine]]
"""Opens an engine for a job, and closes it after."""


class Pacing(NamedTuple):
    """How fast a job may go, and at what cost.

    Attributes:
        concurrency: Rows side by side, always so many; None finds out.
        most: At most so many, while that is found out.
        allowance: What may be asked for in a minute.
        prices: By model; None asks the router.
        max_cost: US dollars, None for no bound.
    """

    concurrency: int | None
    most: int
    allowance: Allowance
    prices: Mapping[str, Prices] | None
    max_cost: float | None


def check_call(setting: Setting, *, proxy: str | None, session: Session | None) -> None:
    """Refuse what is impossible for every row, before the first of them.

    Raises:
        UsageError: An option that no server could take, or two that contradict each other.
    """
    if proxy is not None and session is not None:
        raise UsageError("proxy= is for connections of the job's own; a session= has its proxy already")
    Session(proxy=proxy)
    Answerer.check(setting)


def here(pacing: Pacing, proxy: str | None, session: Session | None) -> Opening:
    """An engine in this process.

    Args:
        pacing: How fast it goes.
        proxy: For connections of its own.
        session: Connections shared with others, left open; None for its own.
    """

    @asynccontextmanager
    async def opened(setting: Setting) -> AsyncGenerator[Engine, None]:
        async with Session(proxy=proxy) if session is None else nullcontext(session) as shared:
            prices = pacing.prices
            if prices is None:
                prices = await prices_for(setting, shared, pacing.max_cost)
            pace = Pace(
                most=pacing.concurrency or pacing.most,
                fixed=pacing.concurrency is not None,
                allowance=pacing.allowance,
                spending=Spending(prices, pacing.max_cost),
            )
            runner = Runner(Answerer(shared, setting), pace)
            with shared.telling(runner.heard):
                yield runner

    return opened
