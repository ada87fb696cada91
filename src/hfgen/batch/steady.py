"""A pace that never changes: so many rows at once."""

import asyncio

from hfgen.batch.effort import Effort
from hfgen.errors import HfgenError


class Steady:
    """Rows side by side, as many as were said.

    Args:
        concurrency: How many.
    """

    def __init__(self, concurrency: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)

    async def slot(self, effort: Effort) -> None:  # noqa: ARG002 - as `Pace`
        """Wait until a row may be asked."""
        await self._slots.acquire()

    def done(self, effort: Effort, error: HfgenError | None) -> None:  # noqa: ARG002 - as `Pace`
        """A row has been asked."""
        self._slots.release()

    def may_repeat(self, error: HfgenError) -> bool:  # noqa: ARG002 - as `Pace`
        """Always: it keeps no account."""
        return True
