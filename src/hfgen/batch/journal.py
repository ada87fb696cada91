"""The output of a batch, which is its journal: one line a row, each written whole and once.

What is promised, and when: a line that was appended survives the death of the process at once, and a power cut from
the next `sync` on, which comes each second and at the end. Calls may repeat, at most those under way; records may not.

An output `OUT` may have at its side
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
import stat
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

import msgspec

from hfgen.batch import mending, sidecar
from hfgen.batch.bad_row import BadRow
from hfgen.batch.durable import CLOSED_TO_CHILDREN, beside, replace, sync_folder
from hfgen.batch.index import Index
from hfgen.batch.job import Job
from hfgen.batch.lock import Lock
from hfgen.batch.mending import Found
from hfgen.batch.result import Result
from hfgen.batch.sidecar import Meta, Parameters, Source
from hfgen.batch.status import Status
from hfgen.errors import OutputFailed, UsageError

SYNC_EACH: Final = 1.0
"""Seconds between two times that the output is made to reach the disk."""


class Journal:
    """An output that is open for one run. Make it with `open`; it is a context manager that closes it.

    Attributes:
        meta: What the answers depend on, and the run's name.
        found: What the output held when it was opened.
        notices: What a person should be told of the opening, in sentences.
        answered: Rows with an answer, now.
        failed: Rows with an error, now.
        edited: Rows of the input, among those asked for with `done`, that differ from what was recorded.
    """

    def __init__(self, out: Path, lock: Lock, index: Index, meta: Meta, found: Found, notices: tuple[str, ...]) -> None:
        self.out = out
        self.meta = meta
        self.found = found
        self.notices = notices
        self.answered = found.answered
        self.failed = found.failed
        self.edited = 0
        self._lock = lock
        self._index = index
        self._descriptor = _opened(out)
        self._end = os.fstat(self._descriptor).st_size
        self._synced = self._end
        self._syncing = threading.Lock()

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
        """Open an output to begin a job or to go on with it.

        Args:
            out: The output, a file that is there or not; a link leads to its file.
            parameters: All that the answers depend on but the rows themselves. Secrets in them are masked.
            source: Where the rows come from.
            force: Go on although the parameters are others than before.
            retry_failed: Drop the recorded errors, so that their rows are not done.

        Raises:
            UsageError: Other parameters than before, another run at work, or a file that is no batch's output.
            OutputFailed: It cannot be read or written.
        """
        path = _real(Path(out))
        try:
            _check_place(path)
            lock = Lock.take(path)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            return cls._locked(path, lock, Meta.new(secrets.token_hex(8), source, parameters), force, retry_failed)
        except OSError as error:
            lock.release()
            raise _failed(path, error) from error
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _locked(cls, out: Path, lock: Lock, asked: Meta, force: bool, retry_failed: bool) -> Self:
        meta, notices = _agreed(out, asked, force=force)
        if not lock.kept:
            notices.append(f"The file system of {out} knows no locks: see to it that no second run writes there.")
        sidecar.write(out, meta)
        os.close(_opened(out))
        sync_folder(out.parent)
        index = Index()
        try:
            found = mending.mend(out, index, retry_failed=retry_failed)
            return cls(out, lock, index, meta, found, (*notices, *_told(out, found)))
        except BaseException:
            index.close()
            raise

    def done(self, job: Job | BadRow) -> bool:
        """Whether the job, which the input has at this row, is recorded; an edited one is not.

        Raises:
            UsageError: The input had another row of the same custom_id.
            OutputFailed: The disk of temporary files is full.
        """
        digest = self._index.meet(job.custom_id, job.row)
        if digest is not None and digest != job.digest:
            self.edited += 1
        return digest == job.digest

    def gone(self) -> int:
        """How many recorded rows the input, of which every row was asked for with `done`, no longer has."""
        return self._index.unmet()

    def append(self, result: Result) -> None:
        """Record what became of a job: all of its line, or nothing.

        Raises:
            OutputFailed: The disk is full, or the like; what was recorded before is whole.
        """
        line = memoryview(result.line())
        written = 0
        try:
            while written < len(line):  # once, but where the disk is about to be full
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            with suppress(OSError):  # else the next start takes the half line out
                os.ftruncate(self._descriptor, self._end)
            raise _failed(self.out, error) from error
        self._end += len(line)
        if result.ok:
            self.answered += 1
        else:
            self.failed += 1

    def sync(self) -> None:
        """Make what was appended reach the disk; nothing is done where nothing is new.

        Raises:
            OutputFailed: The disk does not take it: the lines since the last time may be lost.
        """
        with self._syncing:
            end = self._end
            if end == self._synced:
                return
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                raise _failed(self.out, error) from error
            self._synced = end

    async def keep_synced(self) -> NoReturn:
        """Call `sync` each second, off the event loop, until cancelled.

        Raises:
            OutputFailed: As `sync`.
        """
        while True:
            await asyncio.sleep(SYNC_EACH)
            await asyncio.to_thread(self.sync)

    def tell(self, status: Status) -> None:
        """Let other terminals know how the run is getting on. What fails here fails quietly: it is no answer's loss."""
        with suppress(OSError):
            replace(beside(self.out, ".status.json"), msgspec.json.encode(status), lasting=False)

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
                os.close(self._descriptor)
                self._descriptor = -1
            self._index.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_status(out: str | os.PathLike[str]) -> Status | None:
    """How a run is, or was, getting on; None where that is not known."""
    try:
        return msgspec.json.decode(beside(_real(Path(out)), ".status.json").read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _real(out: Path) -> Path:
    return Path(os.path.realpath(out.expanduser()))


def _opened(out: Path) -> int:
    return os.open(out, os.O_RDWR | os.O_CREAT | os.O_APPEND | CLOSED_TO_CHILDREN, 0o666)


def _check_place(out: Path) -> None:
    """Only a regular file can be read again, and so be a journal."""
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent}", hint="Make it, or give another --out.")
    try:
        mode = out.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
        raise UsageError(
            f"{out} is {what}: the output has to be a file, since the next start reads what is done from it",
            hint="Give --out a file; `hfgen batch export` writes to a pipe.",
        )


def _agreed(out: Path, asked: Meta, *, force: bool) -> tuple[Meta, list[str]]:
    """The meta to go on with, and what there is to tell."""
    try:
        before = sidecar.read(out)
    except ValueError:
        return asked, [
            f"{beside(out, '.meta.json')} is damaged: that the parameters are those of before could not be checked."
        ]
    if before is None:
        if not force and out.exists() and out.stat().st_size:
            raise UsageError(
                f"{out} is not empty, and no {out.name}.meta.json tells what it was made of",
                hint="Give another --out; or, if it is this job's output, add --resume force.",
            )
        return asked, []
    changes = before.changes(asked)
    if changes and not force:
        raise UsageError(
            f"{out} was made with other parameters: {'; '.join(changes)}",
            hint="Give the same ones or another --out; --resume force goes on with the new ones for the rows to come.",
        )
    told = [f"Goes on with other parameters: {'; '.join(changes)}."] if changes else []
    return before.followed_by(asked), told


def _told(out: Path, found: Found) -> list[str]:
    aside = f"set aside in {beside(out, '.damaged')}"
    said = (
        (found.torn, f"The last line of {out} was not whole: its {found.torn} bytes are {aside}."),
        (
            found.broken,
            f"{found.broken} lines of {out} were not whole: they are {aside}, and their rows are asked again.",
        ),
        (found.outdated, f"{found.outdated} lines of {out} had a later one for the same row and were dropped."),
        (found.to_retry, f"{found.to_retry} rows that had failed are asked again."),
    )
    return [sentence for count, sentence in said if count]


def _failed(out: Path, error: OSError) -> OutputFailed:
    return OutputFailed(
        f"{out} cannot be written: {error.strerror or error}",
        hint="What was recorded is kept. Free space, or mend what the message says, and run the same command again.",
    )
