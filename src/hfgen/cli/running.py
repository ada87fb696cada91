"""An event loop that hears signals at once."""

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Generator
from contextlib import contextmanager, suppress
from typing import TypeVar

from hfgen.cli.signals import ENDING

_T = TypeVar("_T")


async def stoppable(main: Awaitable[_T]) -> _T:
    """Await a command's whole work, so that Ctrl-C, SIGTERM and SIGHUP end it wherever it waits.

    Raises:
        KeyboardInterrupt: Out of the loop that runs this, once one of them came.
    """
    loop = asyncio.get_running_loop()
    with _woken(loop), ENDING.between_callbacks(loop.call_soon_threadsafe):
        return await main


@contextmanager
def _woken(loop: asyncio.AbstractEventLoop) -> Generator[None]:
    """Wake the loop by every signal.

    Python runs a signal's handler once the system call under way has ended. A signal that comes just before the call
    interrupts nothing, and a loop that waits for a silent server would sleep on (`signal.set_wakeup_fd`).
    """
    if sys.platform == "win32":  # asyncio's loop there does it itself
        yield
        return
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        loop.add_reader(reading, _drain, reading)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(reading)


def _drain(reading: socket.socket) -> None:
    with suppress(BlockingIOError):  # a turn that was broken off is made up for: then there is nothing left
        reading.recv(4096)
