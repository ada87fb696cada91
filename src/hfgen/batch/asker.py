"""Who asks for one row, whenever a runner says so."""

from typing import Protocol

from hfgen.batch.effort import Effort
from hfgen.batch.job import Job
from hfgen.batch.result import Result
from hfgen.errors import HfgenError


class Asker(Protocol):
    """Who asks for one row."""

    def begin(self, job: Job) -> Effort:
        """The row as it is asked."""
        ...

    async def answer(self, effort: Effort) -> Result:
        """What becomes of it; an `HfgenError` where nobody answered."""
        ...

    def failed(self, effort: Effort, error: HfgenError) -> Result:
        """What becomes of it where it is not to be asked again."""
        ...
