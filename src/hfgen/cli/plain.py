"""An answer as plain text: exact in a pipe, harmless on a terminal."""

import sys
from types import TracebackType
from typing import Self

from hfgen.cli.meter import Meter
from hfgen.cli.pictures import described
from hfgen.cli.terminal import aside, harmless, is_terminal
from hfgen.events import (
    Event,
    FinishReason,
    ImageResponse,
    Logprobs,
    Progress,
    Reasoning,
    Resumed,
    ToolCallDelta,
    Usage,
)


class PlainText:
    """The text as it comes; a line end follows the last text where it has none."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._terminal = is_terminal(sys.stdout)
        self._meter = Meter()
        self._usage = Usage()
        self._progressed: Progress | None = None
        self._ends_line = True
        self._thinking = False
        self._calls: dict[int, str] = {}
        self._pictures = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, BrokenPipeError):
            return
        self._end_thinking()
        self._end_line()

    def show(self, event: Event) -> None:
        """Write text to stdout, all else to stderr."""
        match event:
            case str():
                self._meter.note()
                self._end_thinking()
                self._write(event)
            case Reasoning():
                self._meter.note()
                self._think(event.text)
            case ToolCallDelta():
                self._calls[event.index] = self._calls.get(event.index, event.name + " ") + event.arguments
            case Usage():
                self._usage = event
            case FinishReason():
                self._finish(event)
            case ImageResponse():
                self._meter.note()
                self._picture(event)
            case Progress():
                self._progress(event)
            case Resumed():
                self._say(f"went on after: {event.reason}")
            case Logprobs():
                pass

    def _write(self, text: str) -> None:
        sys.stdout.write(harmless(text) if self._terminal else text)
        sys.stdout.flush()
        self._ends_line = text.endswith("\n")

    def _think(self, text: str) -> None:
        if not self._thinking:
            self._end_line()
        self._thinking = True
        aside(text, newline=False)

    def _end_thinking(self) -> None:
        if self._thinking:
            self._thinking = False
            aside("")

    def _end_line(self) -> None:
        if not self._ends_line:
            self._ends_line = True
            sys.stdout.write("\n")
            sys.stdout.flush()

    def _say(self, text: str) -> None:
        """A line of its own on stderr, also where both streams share one terminal."""
        self._end_thinking()
        if self._terminal and not self._ends_line and is_terminal(sys.stderr):
            aside("")
        aside(text)

    def _finish(self, end: FinishReason) -> None:
        self._end_thinking()
        self._end_line()
        for call in self._calls.values():
            self._say(f"the model calls {call}")
        self._say(self._meter.summary(end, self._usage))

    def _progress(self, event: Progress) -> None:
        if event == self._progressed or (event.stage == "starting" and not self._verbose):
            return  # the third attempt waits for what the second did
        self._progressed = event
        self._say(f"{event.stage}: {event.detail}" if event.detail else event.stage)

    def _picture(self, image: ImageResponse) -> None:
        """The first picture's bytes into a pipe or file; on a terminal only what it is: nothing is saved unasked."""
        self._pictures += 1
        what = described(image.media)
        if self._terminal:
            self._say(f"{what}; `hfgen image` keeps it in a file, as does hfgen … > picture{image.media.extension}")
        elif self._pictures > 1:
            self._say(f"{what}: left out, standard output takes one picture; --json gives all")
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(image.media.data)
            sys.stdout.buffer.flush()
            self._say(what)
