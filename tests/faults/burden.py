"""What one answer costs this process: memory at its worst, and how long its event loop did nothing else (Linux)."""

import asyncio
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_BEAT: Final = 0.001


class Burden:
    """Counts while the context is open.

    Attributes:
        mib: The most that the process grew by, in MiB.
        gap: The longest that the loop took to come round, in seconds. It holds what other processes took of the core.
        work: The most processor time that this thread took in one such round, in seconds: that is the client's alone.
    """

    def __init__(self) -> None:
        self.mib = self.gap = self.work = 0.0

    async def __aenter__(self) -> Self:
        self._before = _peak_kib(anew=True)
        self._beating = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._beating.cancel()
        self.mib = (_peak_kib() - self._before) / 1024

    async def _beat(self) -> None:
        while True:
            began, worked = time.monotonic(), time.thread_time()
            await asyncio.sleep(_BEAT)
            self.gap = max(self.gap, time.monotonic() - began - _BEAT)
            self.work = max(self.work, time.thread_time() - worked)


def _peak_kib(*, anew: bool = False) -> int:
    """The most memory that this process has held since it was last counted anew (proc(5), clear_refs)."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
