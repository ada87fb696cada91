"""The journal while a job runs: opened, made to reach the disk, told about in its status file, closed."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from hfgen.batch.ends import JobStopped
from hfgen.batch.journal.journal import Journal
from hfgen.batch.journal.sidecar import Source
from hfgen.batch.journal.status import Status
from hfgen.batch.setting import Setting
from hfgen.batch.tally import Tally
from hfgen.errors import HfgenError

_TOLD_EACH: Final = 2.0  # seconds


class Output(msgspec.Struct, frozen=True):
    """Where a job is recorded, and how it goes on with what is there.

    Attributes:
        path: The output.
        source: Where the rows come from, as the sidecar names it.
        force: Go on although the parameters are others than before.
        retry_failed: Ask again for the rows that have failed.
    """

    path: Path
    source: Source = Source("")
    force: bool = False
    retry_failed: bool = False


@asynccontextmanager
async def recording(
    output: Output, setting: Setting, tally: Tally, broken: Callable[[HfgenError], None]
) -> AsyncGenerator[Journal, None]:
    """The open journal of a job.

    Args:
        output: Where.
        setting: What the answers depend on.
        tally: How the job is getting on.
        broken: Told when the disk does not take what was written.

    Raises:
        UsageError: Other parameters than before, or another run at work.
        OutputFailed: It cannot be read or written.
    """
    journal = await asyncio.to_thread(
        partial(
            Journal.open,
            output.path,
            {**setting.parameters(), **output.source.asked},
            output.source,
            force=output.force,
            retry_failed=output.retry_failed,
        )
    )
    began = time.time()
    upkeep = asyncio.create_task(_upkeep(journal, tally, began, broken))
    state, message = "stopped", ""
    try:
        yield journal
        state = "finished"
    except HfgenError as error:
        state, message = "stopped" if isinstance(error, JobStopped) else "broken", error.message
        raise
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        status = _status(state, message, journal, tally, began)
        await asyncio.shield(asyncio.to_thread(_closed, journal, status))


def _closed(journal: Journal, status: Status) -> None:
    journal.tell(status)
    journal.close()


async def _upkeep(journal: Journal, tally: Tally, began: float, broken: Callable[[HfgenError], None]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(journal.keep_synced())
            group.create_task(_tell(journal, tally, began))
    except* HfgenError as several:
        broken(next(error for error in several.exceptions if isinstance(error, HfgenError)))


async def _tell(journal: Journal, tally: Tally, began: float) -> None:
    while True:
        await asyncio.to_thread(journal.tell, _status("running", "", journal, tally, began))
        await asyncio.sleep(_TOLD_EACH)


def _status(state: str, message: str, journal: Journal, tally: Tally, began: float) -> Status:
    now = tally.standing()
    return Status(
        state=state,
        pid=os.getpid(),
        host=socket.gethostname(),
        started=began,
        updated=time.time(),
        done=journal.answered,
        failed=journal.failed,
        retried=now.retried,
        total=now.total,
        in_flight=now.under_way,
        concurrency=now.slots,
        rows_per_second=now.rows_per_second,
        tokens_per_second=now.tokens_per_second,
        cost=now.spent,
        projected=now.projected,
        seconds_left=now.seconds_left,
        message=message,
    )
