"""How a picture comes along: a bar on a terminal, a few plain lines elsewhere; on stderr, always."""

import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from hfgen.cli.terminal import aside, draws, harmless, styled
from hfgen.events import Progress, Stage

# What a person wants to read in a log: that it will take a while, and why; not each step on the way.
_TOLD: Final[frozenset[Stage]] = frozenset({"waiting", "loading", "queued", "trimmed"})
_WHOLE: Final = 100
_LONGEST: Final = 40


class Lines:
    """Plain lines: each reason to wait once, not each step."""

    def __init__(self, *, told: frozenset[Stage] = _TOLD) -> None:
        self._told = told
        self._last: Stage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Progress) -> None:
        """Say it, where it is news."""
        if event.stage in self._told and event.stage != self._last:
            aside(wording(event))
        self._last = event.stage

    def came(self, pictures: int) -> None:
        """The picture's own line says so."""

    @contextmanager
    def paused(self) -> Generator[None]:
        """While something else is written."""
        yield


class Bar:
    """One line that changes: what happens, how far it is, which picture, for how long."""

    def __init__(self, pictures: int) -> None:
        # Imported here: rich is slow to import, and for terminals only.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, Progress as Columns, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        count = [TextColumn("{task.fields[came]}/{task.fields[pictures]}")] if pictures > 1 else []
        self._columns = Columns(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            *count,
            TimeElapsedColumn(),
            console=Console(stderr=True, no_color=not styled(sys.stderr)),
            transient=True,
            redirect_stdout=False,  # what is printed there may be on its way into another program
            redirect_stderr=False,
        )
        self._said: Callable[..., None] = warnings.showwarning
        self._task = self._columns.add_task("asking", total=None, came=0, pictures=pictures)

    def __enter__(self) -> Self:
        self._said = warnings.showwarning
        warnings.showwarning = self._warn
        self._columns.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._columns.stop()
        warnings.showwarning = self._said

    def show(self, event: Progress) -> None:
        """Change the line."""
        whole = None if event.fraction is None else _WHOLE
        done = _WHOLE * (event.fraction or 0.0)
        self._columns.update(self._task, description=_short(wording(event)), total=whole, completed=done)

    def came(self, pictures: int) -> None:
        """Count."""
        self._columns.update(self._task, came=pictures, total=None)

    @contextmanager
    def paused(self) -> Generator[None]:
        """Take the line away while something else is written."""
        self._columns.stop()
        try:
            yield
        finally:
            self._columns.start()

    def _warn(self, *what: Any, **more: Any) -> None:
        """A warning goes above the line."""
        with self.paused():
            self._said(*what, **more)


def waiting(pictures: int, *, verbose: bool) -> Bar | Lines:
    """The form that suits stderr; with notes between, plain lines suit every stderr."""
    return Bar(pictures) if draws(sys.stderr) and not verbose else Lines()


def _short(text: str) -> str:
    """On one line, and not so long that the bar leaves it."""
    text = harmless(" ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def wording(event: Progress) -> str:
    """A step in words: `queued, position 3`."""
    place = "" if event.position is None else f", position {event.position}"
    return f"{event.stage}{place}: {event.detail}" if event.detail else f"{event.stage}{place}"
