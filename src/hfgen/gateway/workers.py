"""Several gateways on one port: the kernel hands each connection to one of them (SO_REUSEPORT)."""

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Generator
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Final

from hfgen.gateway.server import listen, serve
from hfgen.gateway.settings import Settings

_START: Final = multiprocessing.get_context("spawn")  # a fork would share an event loop's leftovers
_BREATH: Final = 1.0  # seconds before a worker that died is started again


def serve_many(settings: Settings, host: str, port: int, count: int) -> None:
    """Serve with `count` processes until SIGINT or SIGTERM; one that dies is started again.

    Raises:
        UsageError: The address cannot be had.
    """
    held = listen(host, port, shared=True)  # holds the port, also where it is 0; nobody listens on it here
    port = held.getsockname()[1]
    with held, _until_told() as told:
        workers = [_start(settings, host, port) for _ in range(count)]
        while not told:
            for place, worker in enumerate(workers):
                if not worker.is_alive():
                    time.sleep(_BREATH)
                    workers[place] = _start(settings, host, port)
            time.sleep(0.2)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(settings.drain + 5)
            worker.kill()


def _start(settings: Settings, host: str, port: int) -> BaseProcess:
    worker = _START.Process(target=_work, args=(settings, host, port))
    worker.start()
    return worker


def _work(settings: Settings, host: str, port: int) -> None:
    serve(settings, listen(host, port, shared=True))


@contextlib.contextmanager
def _until_told() -> Generator[list[int]]:
    """The signals that have come."""
    told: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
