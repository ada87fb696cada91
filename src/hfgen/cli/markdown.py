"""An answer as Markdown on a terminal, drawn while it grows."""

import asyncio
import sys
import time
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from typing_extensions import override

from hfgen.cli.blocks import blocks, drawn
from hfgen.cli.canvas import Canvas
from hfgen.cli.plain import PlainText
from hfgen.cli.terminal import harmless

_FRAME: Final = 1 / 15  # seconds between two drawings, at least
_SHARE: Final = 4  # and this many times what the last one took: a long code block must not slow the answer down


class MarkdownText(PlainText):
    """Finished blocks are printed for good; only the last one, which may still change, is drawn anew."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__(verbose=verbose)
        self._console = Console(file=sys.stdout)
        self._canvas = Canvas()
        self._open = ""  # the source of what may still change
        self._begun = False
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @override
    def _write(self, text: str) -> None:
        self._open += harmless(text)
        self._ends_line = False
        if self._timer is None:
            wait = max(0.0, self._due - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._draw)

    @override
    def _end_line(self) -> None:
        """Print what is left for good: Markdown ends its own line."""
        if not self._ends_line:
            self._cancel()
            self._canvas.draw(self._lines(blocks(f"{self._open}\n")), ())
        self._open, self._begun, self._ends_line = "", False, True

    @override
    def _say(self, text: str) -> None:
        """Between the lines that stay and those that may change."""
        if self._ends_line:
            super()._say(text)
            return
        self._canvas.draw((), ())
        self._ends_line = True
        super()._say(text)
        self._ends_line = False
        self._draw()

    def _draw(self) -> None:
        self._cancel()
        began = time.monotonic()
        *finished, self._open = blocks(self._open) or [""]
        staying = self._lines(finished)
        self._begun = self._begun or bool(staying)
        self._canvas.draw(staying, self._lines(blocks(f"{self._open}\n")))
        now = time.monotonic()
        self._due = now + max(_FRAME, _SHARE * (now - began))

    def _lines(self, parts: Iterable[str]) -> list[str]:
        """The blocks as the terminal shows them, an empty line before each but the first of all."""
        lines: list[str] = []
        for part in parts:
            block = drawn(part, self._console)
            lines += ["", *block] if block and (lines or self._begun) else block
        return lines

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
