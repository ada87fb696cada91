"""SIGTERM and SIGHUP end the program the way that Ctrl-C does, wherever it is, with exit codes of their own.

Python runs a handler between any two bytecodes. What it raises inside aiohttp's parser, a callback of the event loop or
a `__del__` is lost there, or breaks what it meets. So while an event loop runs the handlers raise nothing: they have
its main task cancelled.
"""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

_ENDING: Final = ("SIGTERM", "SIGHUP")  # not all systems have both
_LOOK: Final = 0.2  # seconds


class Told(KeyboardInterrupt):
    """Someone other than Ctrl-C interrupts.

    A class of its own because of CPython: once a KeyboardInterrupt itself has left an `exec` of text, as imports run
    them to make classes, `python -m` ends with -SIGINT, whatever was caught meanwhile (`run_eval_code_obj`).
    """


class Ending:
    """What ends the program."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._call_soon: Callable[..., object] | None = None

    @property
    def told(self) -> bool:
        """Whether the whole program is to end; Ctrl-C ends less where there is less to end, such as an answer."""
        return self._number is not None

    @property
    def exit_code(self) -> int:
        """As shells have it, 128 and the signal's number; without one of ours it was Ctrl-C."""
        return 128 + (signal.SIGINT if self._number is None else self._number)

    @contextmanager
    def heeded(self) -> Generator[None]:
        """Heed the signals, but those that are ignored (`nohup`) or that somebody else handles."""
        numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
        ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
        for number in ours:
            signal.signal(number, self._come)
        try:
            yield
        finally:
            for number in ours:
                signal.signal(number, signal.SIG_DFL)

    @contextmanager
    def between_callbacks(self, call_soon: Callable[..., object]) -> Generator[None]:
        """While an event loop runs: have it raise, by its `call_soon_threadsafe`, and no code that it calls."""
        self._call_soon = call_soon
        try:
            yield
        finally:
            self._call_soon = None

    def _come(self, number: int, frame: FrameType | None) -> None:
        """Do what Ctrl-C does: asyncio has it cancel the main task, uvicorn stop the server.

        Where SIGINT is ignored, as in a script's background job, nobody handles it.
        """
        self._number = number
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt) and interrupt is not signal.default_int_handler:
            interrupt(signal.SIGINT, frame)
        elif self._call_soon is not None:
            self._call_soon(_end)
        else:
            _end()


def _end() -> NoReturn:
    raise Told


@contextmanager
def looking_again() -> Generator[None]:
    """Where somebody types: heed a signal even where it came just before the wait for a key.

    Python's readline looks for signals when they interrupt that wait, and such a one does not. A timer's does.
    """
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    signal.signal(signal.SIGALRM, _look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK, _LOOK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _look(_number: int, _frame: FrameType | None) -> None:
    """Nothing more: Python has run the other signals' handlers as well."""


ENDING: Final = Ending()
"""A process has one set of signals."""
