"""Why a job stops before its rows are all done."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from hfgen.batch.ends import Ends
from hfgen.batch.runner import Engine
from hfgen.batch.tally import Tally
from hfgen.errors import HfgenError


class Stopping:
    """Stops the engine when a limit is reached, and remembers why.

    Args:
        ends: The limits of the job.
    """

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._reason: HfgenError | None = None
        self._engine: Engine | None = None

    @contextmanager
    def of(self, engine: Engine) -> Generator[None, None, None]:
        """The engine, for as long as the job has time."""
        self._engine = engine
        if self._reason is not None:
            engine.stop()
        deadline = self._ends.deadline
        if deadline is None:
            yield
            return
        timer = asyncio.get_running_loop().call_later(deadline, lambda: self.because(self._ends.out_of_time()))
        try:
            yield
        finally:
            timer.cancel()

    def judge(self, tally: Tally) -> None:
        """Look whether a limit is reached."""
        if self._reason is None and (reached := self._ends.reached(tally)):
            self.because(reached)

    def because(self, reason: HfgenError) -> None:
        """Take no more rows."""
        self._reason = self._reason or reason
        if self._engine is not None:
            self._engine.stop()

    def tell(self) -> None:
        """Raise the reason, where there was one."""
        if self._reason is not None:
            raise self._reason
