"""Works on the batches of a gateway, and takes up those that an earlier process left.

Whatever ends the process, a batch goes on from its journal when the gateway starts again. Where several processes share
a folder, the journal's lock says which of them works on a batch.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hfgen.batch.answerer import Answerer
from hfgen.batch.ends import JobStopped
from hfgen.batch.journal import status as statuses
from hfgen.batch.journal.lock import Lock
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.pacing.pace import Pace
from hfgen.batch.rows.input import Jobs, Reading
from hfgen.batch.runner import Engine, Runner
from hfgen.batch.running import run
from hfgen.batch.setting import Setting
from hfgen.errors import HfgenError, UsageError
from hfgen.gateway.batch_files import look_through, write_files
from hfgen.gateway.batch_store import Batch, BatchStore, Counts, LineFault, State
from hfgen.gateway.file_store import FileStore
from hfgen.gateway.upstream import Upstream

_READING: Final = Reading(form="openai")
_AT_ONCE: Final = 4  # batches; each has a pace of its own
_ROWS_AT_ONCE: Final = 32  # of a batch, at most: callers who wait for an answer come first
_KEPT: Final = 30 * 24 * 3600  # seconds for which files and batches are kept
_LOOK: Final = 1.0  # seconds between looks whether another process was told to cancel
_log: Final = logging.getLogger("hfgen.gateway")


class BatchWork:
    """The batches that this process works on.

    Args:
        store: All batches.
        files: What they are made of, and what comes of them.
        upstream: Who answers.
    """

    def __init__(self, store: BatchStore, files: FileStore, upstream: Upstream) -> None:
        self.store = store
        self.files = files
        self._upstream = upstream
        self._working: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def take_up(self) -> None:
        """Go on with what is not over, where no other process does."""
        await asyncio.to_thread(self._tidy)
        for batch in await asyncio.to_thread(self.store.all):
            if not batch.over:
                self.begin(batch)

    def _tidy(self) -> None:
        """Forget what is too old, as OpenAI's server does with what comes of batches."""
        old = time.time() - _KEPT
        for batch in self.store.all():
            if batch.over and batch.created_at < old:
                self.store.drop(batch)
        for file in self.files.all():
            if file.created_at < old:
                self.files.delete(file)

    def begin(self, batch: Batch) -> None:
        """Work on a batch."""
        task = asyncio.create_task(self._work(batch))
        self._working[batch.id] = task
        task.add_done_callback(lambda _: self._working.pop(batch.id, None))

    async def cancel(self, batch: Batch) -> Batch:
        """End it; what it has is kept. Whichever process works on it finds the wish in the folder."""
        if await asyncio.to_thread(self._is_left_to_us, batch):
            self.begin(batch)  # the process that worked on it is gone: this one writes its end
        return await asyncio.to_thread(self.live, batch)

    def _is_left_to_us(self, batch: Batch) -> bool:
        self.store.ask_to_cancel(batch)
        return batch.id not in self._working and Lock.holder(self.store.output(batch)) is None

    def live(self, batch: Batch) -> Batch:
        """How it stands now, as far as the process that works on it has written down a moment ago."""
        if batch.over:
            return batch
        if self.store.is_to_be_cancelled(batch):
            batch = replace(batch, status="cancelling")
        now = statuses.read(self.store.output(batch))
        if now is None:
            return batch
        return replace(batch, request_counts=replace(batch.request_counts, completed=now.done, failed=now.failed))

    async def close(self) -> None:
        """Stop; what is not over goes on when the gateway starts again."""
        tasks = tuple(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, batch: Batch) -> None:
        async with self._slots:
            try:
                await self._worked(batch)
            except HfgenError as error:
                if isinstance(error, UsageError) and Lock.holder(self.store.output(batch)) is not None:
                    return  # another process has it
                _log.warning("batch %s failed: %s", batch.id, error.message)
                await self._end(batch, "failed", (LineFault(type(error).__name__, error.message),))
            except Exception:  # noqa: BLE001 - a fault of ours is told, and the gateway lives on
                _log.exception("batch %s failed", batch.id)
                await self._end(batch, "failed", (LineFault("internal_error", "the gateway failed"),))

    async def _worked(self, batch: Batch) -> None:
        if not batch.request_counts.total:
            source = await asyncio.to_thread(self._input, batch)
            total, faults = await asyncio.to_thread(look_through, source, batch.endpoint)
            if faults:
                await asyncio.to_thread(self.store.put, batch.now("failed", faults=faults))
                return
            batch = batch.now("in_progress", request_counts=Counts(total))
            await asyncio.to_thread(self.store.put, batch)
        await self._end(batch, await self._answered(batch))

    async def _answered(self, batch: Batch) -> State:
        """Answer what is not answered yet; how it ended."""
        left = batch.expires_at - time.time()
        if left <= 0:
            return "expired"
        answering = asyncio.create_task(self._answer(batch, left))
        try:
            while not answering.done():
                await asyncio.wait((answering,), timeout=_LOOK)
                if await asyncio.to_thread(self.store.is_to_be_cancelled, batch):
                    return "cancelled"
            return answering.result()
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _answer(self, batch: Batch, seconds: float) -> State:
        jobs = await asyncio.to_thread(lambda: Jobs(str(self._input(batch)), _READING))
        results = run(
            jobs,
            out=self.store.output(batch),
            pictures="line",
            bounds=self._upstream.settings.bounds,
            deadline=seconds,
            engine=self._engine,
        )
        try:
            async with aclosing(results):
                async for _ in results:
                    pass
        except JobStopped:
            return "expired"
        finally:
            jobs.close()
        return "completed"

    async def _end(self, batch: Batch, state: State, faults: tuple[LineFault, ...] = ()) -> None:
        """Give the caller what came of it."""
        await asyncio.to_thread(self._write_end, batch, state, faults)

    def _write_end(self, batch: Batch, state: State, faults: tuple[LineFault, ...]) -> None:
        batch = self.store.read(batch.id) or batch
        self.store.put(batch.now("finalizing"))
        made = write_files(self.files, batch, state, self.store.output(batch), self._input(batch))
        counts = Counts(batch.request_counts.total, made.answers, made.failures)
        ended = batch.now(
            state,
            faults=faults,
            request_counts=counts,
            output_file_id=made.output_file_id,
            error_file_id=made.error_file_id,
            model=made.model,
            usage=made.usage,
        )
        self.store.put(ended)

    def _input(self, batch: Batch) -> Path:
        return self.files.content(self.files.get(batch.input_file_id, batch.owner))

    @asynccontextmanager
    async def _engine(self, setting: Setting, _budget: Budget) -> AsyncGenerator[Engine, None]:
        yield Runner(Answerer(self._upstream.session, setting, ask=self._upstream.answer), Pace(most=_ROWS_AT_ONCE))
