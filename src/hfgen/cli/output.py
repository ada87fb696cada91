"""Events on a terminal, or in a pipe: the answer on stdout, all else on stderr."""

import os
import re
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

import click
import msgspec

from hfgen.events import Event, FinishReason, ImageResponse, Progress, Reasoning, Resumed, Usage

if TYPE_CHECKING:
    from rich.live import Live

# C0 and C1 but tab and line feed, DEL, and the marks that turn the direction of text: they could move a terminal's
# cursor, set its clipboard, or hide what stands there.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text with its control characters made visible, for a terminal."""
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class Output(Protocol):
    """Where events go; a context, so that the terminal is left clean whatever happens."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Show one event."""
        ...


def output_for(*, as_json: bool, markdown: bool, verbose: bool) -> Output:
    """The form that suits stdout: JSON lines if asked, Markdown on a terminal that can, plain text else."""
    if as_json:
        return JsonLines()
    capable = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ
    return MarkdownText(verbose=verbose) if markdown and capable else PlainText(verbose=verbose)


class JsonLines:
    """One event a line, as JSON."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """Write one line."""
        shown = {"type": "text", "text": event} if isinstance(event, str) else event
        click.echo(msgspec.json.encode(shown).decode())


class PlainText:
    """The text as it comes: exact bytes in a pipe, controls made visible on a terminal."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._terminal = sys.stdout.isatty()
        self._began = time.monotonic()
        self._first: float | None = None
        self._usage = Usage()
        self._ends_line = True
        self._thinking = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_line()

    def show(self, event: Event) -> None:
        """Write text to stdout, all else to stderr."""
        match event:
            case str():
                self._text(event)
            case Reasoning():
                self._note_first()
                self._thinking = True
                self._aside(harmless(event.text), newline=False)
            case Usage():
                self._usage = event
            case FinishReason():
                self._end_line()
                self._aside(summary(event, self._usage, self._began, self._first))
            case ImageResponse():
                self._text(str(event))
            case Progress():
                if self._verbose or event.stage != "starting":
                    self._aside(f"{event.stage}: {event.detail}")
            case Resumed():
                self._aside(f"went on after: {event.reason}")
            case _:
                pass

    def _text(self, text: str) -> None:
        self._note_first()
        if self._thinking:
            self._thinking = False
            click.echo(err=True)
        self._write(text)
        self._ends_line = text.endswith("\n")

    def _write(self, text: str) -> None:
        if self._terminal:
            text = harmless(text)
        sys.stdout.write(text)
        sys.stdout.flush()

    def _note_first(self) -> None:
        if self._first is None:
            self._first = time.monotonic()

    def _end_line(self) -> None:
        if not self._ends_line:
            self._ends_line = True
            sys.stdout.write("\n")
            sys.stdout.flush()

    def _aside(self, text: str, *, newline: bool = True) -> None:
        plain = "NO_COLOR" in os.environ or not sys.stderr.isatty()
        click.echo(text if plain else click.style(text, dim=True), err=True, nl=newline)


class MarkdownText(PlainText):
    """The answer as Markdown, drawn anew while it grows."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__(verbose=verbose)
        self._text_so_far = ""
        self._live: Live | None = None

    def _write(self, text: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
        from rich.live import Live  # noqa: PLC0415
        from rich.markdown import Markdown  # noqa: PLC0415

        self._text_so_far += harmless(text)
        if self._live is None:
            self._live = Live(console=Console(), refresh_per_second=12, vertical_overflow="visible")
            self._live.start()
        self._live.update(Markdown(self._text_so_far))

    def _end_line(self) -> None:
        """Draw the last state and give the terminal back; Markdown ends its own line."""
        live, self._live = self._live, None
        self._text_so_far = ""
        self._ends_line = True
        if live is not None:
            live.stop()


def summary(end: FinishReason, usage: Usage, began: float, first: float | None) -> str:
    """Who answered, how much and how fast, on one line."""
    now = time.monotonic()
    about = "about " if usage.estimated else ""
    parts = [end.model or "a model", f"at {end.server}", f"{about}{usage.completion_tokens} tokens"]
    if first is not None:
        spent = max(now - first, 1e-9)
        parts.append(f"{usage.completion_tokens / spent:.1f} tokens/s")
        parts.append(f"first after {first - began:.2f} s")
    if end.reason == "length":
        parts.append("cut at max_tokens")
    elif end.reason != "stop":
        parts.append(end.reason)
    if end.attempts > 1:
        parts.append(f"{end.attempts} attempts")
    return " · ".join(parts)
