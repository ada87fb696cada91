"""Several gateways on one port: the kernel hands each connection to one of them (SO_REUSEPORT)."""

import contextlib
import logging
import multiprocessing
import multiprocessing.synchronize
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from prometheus_client import multiprocess as figures_of_all

from hfgen.errors import HfgenError, UsageError
from hfgen.gateway.app import create_app
from hfgen.gateway.meters import WORKERS_FOLDER
from hfgen.gateway.picture_folder import PictureFolder
from hfgen.gateway.server import WAITING, listen, serve
from hfgen.gateway.settings import Settings

_START: Final = multiprocessing.get_context("spawn")  # a fork would share an event loop's leftovers
_BREATH: Final = 1.0  # seconds before a worker that died is started again
_LOOK: Final = 0.1  # seconds between looks at the workers
_TIDY: Final = 60.0  # seconds between looks for pictures that are too old
_GRACE: Final = 5.0  # seconds beyond the drain, for what comes after the last answer
_log: Final = logging.getLogger("hfgen.gateway")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where and how each worker serves. It goes to the workers through a pipe: no key is in their command lines."""

    settings: Settings
    host: str
    port: int
    up: multiprocessing.synchronize.Semaphore


def serve_many(settings: Settings, host: str, held: socket.socket, count: int, announce: Callable[[], None]) -> int:
    """Serve with several processes until SIGINT or SIGTERM; one that dies is started again.

    Args:
        settings: Of each.
        host: The address.
        held: Bound to it with SO_REUSEPORT and not listening; it keeps the port while no worker has it.
        count: How many.
        announce: Called when all of them accept connections.

    Returns:
        The signal that ended them.

    Raises:
        UsageError: One of them could not begin, and said why; or there is no temporary folder.
    """
    with (
        held,
        _until_told() as told,
        _folder("hfgen-figures-") as figures,
        _folder("hfgen-pictures-") as pictures,
    ):
        os.environ[WORKERS_FOLDER] = figures
        settings = replace(settings, pictures_folder=Path(pictures))  # one process has not what another made
        place = _Place(settings, host, held.getsockname()[1], _START.Semaphore(0))
        workers = [_started(place) for _ in range(count)]
        try:
            if _all_up(place, workers, told):
                announce()
            elif not told:
                raise UsageError("a worker could not begin; it has said why")
            _watch(place, workers, told, PictureFolder(Path(pictures), settings.pictures_kept))
        finally:
            _end(workers, settings.drain + _GRACE)
        return told[0]


def _folder(prefix: str) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise UsageError(
            f"several workers need a temporary folder, and none can be made: {error.strerror}",
            hint="Name one that can be written in TMPDIR, or serve with --workers 1.",
        ) from error


def _all_up(place: _Place, workers: Sequence[BaseProcess], told: Sequence[int]) -> bool:
    for _ in workers:
        while not place.up.acquire(timeout=_LOOK):
            if told or not all(worker.is_alive() for worker in workers):
                return False
    return True


def _watch(place: _Place, workers: list[BaseProcess], told: Sequence[int], pictures: PictureFolder) -> None:
    tidied = time.monotonic()
    while not told:
        time.sleep(_LOOK)
        _start_the_dead_again(place, workers, told)
        if time.monotonic() - tidied >= _TIDY:
            pictures.tidy()
            tidied = time.monotonic()


def _start_the_dead_again(place: _Place, workers: list[BaseProcess], told: Sequence[int]) -> None:
    for index, worker in enumerate(workers):
        if not worker.is_alive():
            time.sleep(_BREATH)
            if not told:
                _log.warning("worker %s has died (exit code %s): another takes its place", worker.pid, worker.exitcode)
                figures_of_all.mark_process_dead(worker.pid, os.environ[WORKERS_FOLDER])  # type: ignore[no-untyped-call] # pyright: ignore[reportUnknownMemberType] # without types
                workers[index] = _started(place)


def _started(place: _Place) -> BaseProcess:
    worker = _START.Process(target=_work, args=(place,))
    worker.start()
    return worker


def _end(workers: Sequence[BaseProcess], seconds: float) -> None:
    for worker in workers:
        worker.terminate()
    last = time.monotonic() + seconds
    for worker in workers:
        worker.join(max(0.0, last - time.monotonic()))
        worker.kill()
        worker.join()


def _work(place: _Place) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    try:
        app = create_app(place.settings)
        listener = listen(place.host, place.port, shared=True)
    except HfgenError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    listener.listen(WAITING)
    place.up.release()
    try:
        serve(app, place.settings, listener)
    finally:
        _clear_up_for_the_dead(place.settings.pictures_folder)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """Unwind, so that a local engine is stopped."""
    raise SystemExit(128 + number)


def _leave_with_the_parent() -> None:
    """A worker whose parent was killed would hold the port for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _clear_up_for_the_dead(folder: Path | None) -> None:
    """The parent deletes the pictures, unless it was killed."""
    parent = multiprocessing.parent_process()
    if folder is not None and parent is not None and not parent.is_alive():
        shutil.rmtree(folder, ignore_errors=True)


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
