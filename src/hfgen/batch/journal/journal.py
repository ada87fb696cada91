"""The output of a batch, which is its journal: one line a row, each written whole and once.

What is promised, and when: a line that was appended survives the death of the process at once, and a power cut from
the next `sync` on, which comes each second and at the end. Calls may repeat, at most those under way; records may not.

Beside an output `OUT` may lie
    OUT.meta.json    what the answers depend on
    OUT.status.json  how the run is getting on
    OUT.lock         while a run writes
    OUT.damaged      what was not whole and had to be taken out
    OUT.new          for a moment, what is about to take the output's place

Everything here blocks but `append` (a write to the page cache): in a coroutine, call it with `asyncio.to_thread`.
"""

import asyncio
import os
import secrets
import threading
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

from hfgen.batch.bad_row import BadRow
from hfgen.batch.job import Job
from hfgen.batch.journal import mending, sidecar, status
from hfgen.batch.journal.agreement import Agreement, agree
from hfgen.batch.journal.index import Index
from hfgen.batch.journal.lock import Lock
from hfgen.batch.journal.mending import Found
from hfgen.batch.journal.output import check_kind, failed, file_of, opened
from hfgen.batch.journal.sidecar import Meta, Parameters, Source
from hfgen.batch.journal.status import Status
from hfgen.batch.journal.survey import Survey, take_survey
from hfgen.batch.result import Result
from hfgen.errors import OutputFailed

SYNC_EACH: Final = 1.0
"""Seconds between two times that the output is made to reach the disk."""


class Journal:
    """An output that is open for one run. Make it with `open`; it is a context manager that closes it.

    Attributes:
        out: The file.
        meta: What the answers depend on, and the run's name.
        found: What the output held when it was opened.
        notices: What a person should be told of the opening, in sentences.
        answered: Rows with an answer, now; an edited one has none until it is done again.
        failed: Rows with an error, now.
        edited: Rows that were asked for with `done` and differ from what is recorded under their name.
    """

    def __init__(self, out: Path, lock: Lock, index: Index, agreement: Agreement, found: Found) -> None:
        self.out = out
        self.meta = agreement.meta
        self.found = found
        self.notices = (*lock.notices(out), *agreement.notices, *found.notices(out))
        self.answered = found.answered
        self.failed = found.failed
        self.edited = 0
        self._surveyed: Survey | None = None
        self._lock = lock
        self._index = index
        self._syncing = threading.Lock()
        self._open()

    @classmethod
    def open(
        cls,
        out: str | os.PathLike[str],
        parameters: Parameters,
        source: Source,
        *,
        force: bool = False,
        retry_failed: bool = False,
    ) -> Self:
        """Open an output, to begin a job or to go on with it.

        Args:
            out: The output, a file that is there or not; a link leads to its file.
            parameters: All that the answers depend on but the rows themselves; no key and no token. What is known as a
                secret by now, or has the form of one, is masked nevertheless.
            source: Where the rows come from.
            force: Go on although the parameters are others than before, or not known.
            retry_failed: Drop the recorded errors, so that their rows are not done. The run gets another name: a
                server that knows the rows by the old one would answer with the old errors.

        Raises:
            UsageError: Other parameters than before, another run at work, or a file that is no batch's output.
            OutputFailed: It cannot be read or written.
        """
        file = file_of(out)
        asked = Meta.new(secrets.token_hex(8), source, parameters)
        try:
            check_kind(file)
            lock = Lock.take(file)
            try:
                agreement = agree(file, asked, force=force)
                if retry_failed:
                    agreement = agreement.under(asked.run)
                return cls._locked(file, lock, agreement, retry_failed=retry_failed)
            except BaseException:
                lock.release()
                raise
        except OSError as error:
            raise failed(file, error) from error

    @classmethod
    def _locked(cls, out: Path, lock: Lock, agreement: Agreement, *, retry_failed: bool) -> Self:
        os.close(opened(out))
        sidecar.write(out, agreement.meta)
        index = Index()
        try:
            return cls(out, lock, index, agreement, mending.mend(out, index, retry_failed=retry_failed))
        except BaseException:
            index.close()
            raise

    def _open(self) -> None:
        self._descriptor = opened(self.out)
        self._end = self._synced = os.fstat(self._descriptor).st_size
        """Where the last whole line ends, and up to where it lies on the disk."""

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def survey(self, jobs: Iterable[Job | BadRow]) -> Survey:
        """Compare the whole input with the output, before the first job is begun; `done` then is quick.

        An input that can be read only once needs no survey: its edited rows are found by `done`, and their old lines
        dropped when the journal is closed, or opened again.

        Raises:
            UsageError: Two rows of the input have the same custom_id.
            OutputFailed: The output cannot be rewritten without the edited rows; it is as it was.
        """
        found = take_survey(self._index, jobs)
        if found.edited:
            self._rewrite()
        self._surveyed = found
        return found

    def _rewrite(self) -> None:
        try:
            with self._syncing:
                self._close()
                try:
                    kept = mending.rewrite(self.out, self._index)
                finally:
                    self._open()
        except OSError as error:
            raise failed(self.out, error) from error
        self.answered, self.failed = kept.answered, kept.failed

    def done(self, job: Job | BadRow) -> bool:
        """Whether the job, which the input has at this row, is recorded; an edited one is not.

        Raises:
            UsageError: The input had another row of the same custom_id.
            OutputFailed: The disk of temporary files is full.
        """
        if self._surveyed:  # no name is there twice, and what is recorded is not edited
            return self._surveyed.recorded > 0 and self._index.has(job.custom_id)
        record = self._index.meet(job.custom_id, job.row)
        if record is None or record.digest == job.digest:
            return record is not None
        self.edited += 1
        self.answered -= record.answered
        self.failed -= not record.answered
        return False

    def gone(self) -> int:
        """How many recorded rows the input, of which every row was asked for with `done`, no longer has."""
        return self._index.unmet()

    def append(self, result: Result) -> None:
        """Record what became of a job: all of its line, or nothing.

        Raises:
            OutputFailed: The disk is full, or the like; what was recorded before is whole.
        """
        line = memoryview(result.line())
        begin, written = self._end, 0
        try:
            while written < len(line):  # once, but where a disk is about to be full
                written += os.write(self._descriptor, line[written:])
            self._end = begin + written
        except BaseException as error:  # Ctrl-C may come here too
            self._end = begin
            with suppress(OSError):  # else the next start sets the half line aside
                os.ftruncate(self._descriptor, begin)
            if isinstance(error, OSError):
                raise failed(self.out, error) from error
            raise
        if result.ok:
            self.answered += 1
        else:
            self.failed += 1

    def sync(self) -> None:
        """Make what was appended reach the disk.

        Raises:
            OutputFailed: The disk does not take it, or the file is no longer there under its name.
        """
        with self._syncing:
            if self._descriptor >= 0:
                try:
                    self._sync()
                except OSError as error:
                    raise failed(self.out, error) from error

    def _sync(self) -> None:
        end = self._end
        if end != self._synced:
            os.fsync(self._descriptor)
            self._synced = end
        if not os.path.samestat(self.out.stat(), os.fstat(self._descriptor)):
            raise OutputFailed(
                f"{self.out} is another file than at the start of the run",
                hint="What was recorded is in the file that was moved or removed. Leave it in its place during a run.",
            )

    async def keep_synced(self) -> NoReturn:
        """Call `sync` each second, off the event loop, until cancelled.

        Raises:
            OutputFailed: As `sync`.
        """
        while True:
            await asyncio.sleep(SYNC_EACH)
            await asyncio.to_thread(self.sync)

    def tell(self, now: Status) -> None:
        """Let `hfgen batch status` know how the run is getting on."""
        status.write(self.out, now)

    def close(self) -> None:
        """Make all of it reach the disk, and let the next run in; closing again does nothing.

        Raises:
            OutputFailed: As `sync`.
        """
        if self._descriptor < 0:
            return
        try:
            self.sync()
        finally:
            with self._syncing:
                self._close()
            self._index.close()
            try:
                self._drop_edited()
            finally:
                self._lock.release()

    def _drop_edited(self) -> None:
        """The old lines of rows that `done` found edited, where there is a new one."""
        if not self.edited:
            return
        index = Index()
        try:
            mending.mend(self.out, index)
        except OSError as error:
            raise failed(self.out, error) from error
        finally:
            index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; where an error is on its way already, that one is told."""
        with suppress(OutputFailed) if error is not None else nullcontext():
            self.close()
