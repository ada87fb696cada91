"""The rows of a job that are to be asked: without those that are recorded, and those that ask what another one asks."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Iterator
from contextlib import aclosing
from itertools import islice
from typing import TypeAlias

from hfgen.batch.bad_row import BadRow
from hfgen.batch.dedup import Dedup
from hfgen.batch.given import Given, job_of
from hfgen.batch.job import Job
from hfgen.batch.journal.journal import Journal
from hfgen.batch.journal.recorded import results
from hfgen.batch.journal.survey import Survey
from hfgen.batch.result import Result
from hfgen.batch.rows.reading import read
from hfgen.batch.tally import Tally

Jobs: TypeAlias = "Iterable[Given] | AsyncIterable[Given]"


class Feeding:
    """Reads the rows of a job, in threads.

    Args:
        jobs: As a caller gives them.
        journal: What is recorded; None where nothing is.
        tally: Counts the rows, and those that are recorded.
        dedup: Holds back rows that ask the same, as far as there is a journal.
        notice: Told what a person should know of the rows.
    """

    def __init__(
        self, jobs: Jobs, journal: Journal | None, tally: Tally, dedup: Dedup | None, notice: Callable[[str], None]
    ) -> None:
        self._jobs = jobs
        self._journal = journal
        self._tally = tally
        self._dedup = dedup
        self._notice = notice
        self._surveyed: int | None = None

    async def survey(self) -> None:
        """Compare an input that can be read twice with the journal, before anything is asked.

        Raises:
            UsageError: Two rows have one name.
            OutputFailed: Edited rows cannot be taken out of the output.
        """
        journal, jobs = self._journal, self._jobs
        if journal is None or isinstance(jobs, AsyncIterable | Iterator):
            return
        found = await _unless_left(lambda left: journal.survey(_until(left, _made(jobs))))
        self._surveyed = self._tally.total = found.rows
        self._tally.skip(found.recorded)
        self._compared(journal, found.edited, found.gone)

    async def rows(self) -> AsyncGenerator[Job | BadRow, None]:
        """Those that are to be asked.

        Raises:
            UsageError: What a caller gave is no job, or two rows have one name.
        """
        if isinstance(self._jobs, AsyncIterable):
            row = 0
            async for given in self._jobs:
                row += 1
                job = job_of(given, row)
                if self._journal is None or await asyncio.to_thread(self._wanted, job):
                    yield job
        else:
            # What is added to the input meanwhile was not compared: it is for the next run.
            made = islice(_made(self._jobs), self._surveyed)
            async with aclosing(read(made, self._wanted)) as kept:
                async for job in kept:
                    yield job
        if self._journal is not None and self._surveyed is None:
            gone = await asyncio.to_thread(self._journal.gone)
            self._compared(self._journal, self._journal.edited, gone)

    async def copies(self) -> AsyncGenerator[Result, None]:
        """The results of rows that were held back, once all others have ended."""
        dedup, journal = self._dedup, self._journal
        if dedup is None or journal is None:
            return
        held = await asyncio.to_thread(len, dedup)
        if held:
            async with aclosing(read(dedup.copies(results(journal.out)))) as made:
                async for result in made:
                    yield result

    def _wanted(self, job: Job | BadRow) -> bool:
        done = self._journal is not None and self._journal.done(job)
        if self._surveyed is None:
            self._tally.skip(done)
        if self._dedup is None or not isinstance(job, Job):
            return not done
        first = self._dedup.first_of(job)  # a recorded row may be the first for others
        if done or first is None:
            return not done
        self._dedup.hold(job, first)
        return False

    def _compared(self, journal: Journal, edited: int, gone: int) -> None:
        if edited:
            was = "1 row was edited" if edited == 1 else f"{edited:,} rows were edited"
            self._notice(f"{was} since {journal.out} was written: asked anew.")
        if gone:
            rows = "1 row" if gone == 1 else f"{gone:,} rows"
            self._notice(f"{journal.out} has {rows} that this input does not have: they stay there.")


def _made(jobs: Iterable[Given]) -> Iterator[Job | BadRow]:
    return (job_of(given, row) for row, given in enumerate(jobs, 1))


async def _unless_left(work: Callable[[threading.Event], Survey]) -> Survey:
    """Work in a thread, which is told when nobody waits for it any more, and waited for: it holds the index."""
    left = threading.Event()
    working = asyncio.ensure_future(asyncio.to_thread(work, left))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        left.set()
        await asyncio.wait((working,))
        working.exception()  # nobody is told
        raise


def _until(left: threading.Event, jobs: Iterable[Job | BadRow]) -> Generator[Job | BadRow, None, None]:
    for job in jobs:
        if left.is_set():
            raise InterruptedError
        yield job
