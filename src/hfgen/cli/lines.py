"""Lines that a person types, with the lines of earlier conversations at the arrow keys."""

import contextlib
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from hfgen.cli.signals import ENDING, looking_again
from hfgen.cli.terminal import aside, is_terminal

_KEPT: Final = 1000
_FENCE: Final = '"""'


class Lines:
    """Reads what is asked, one line or several between triple quotes."""

    def __init__(self) -> None:
        self._file = _history_file()
        self._readline = _readline(self._file)

    def read(self) -> str | None:
        """The next question; None at the end of the input (Ctrl-D).

        Raises:
            KeyboardInterrupt: The second Ctrl-C in a row, or a signal that ends the program.
        """
        interrupted = False
        while True:
            try:
                return self._question()
            except EOFError:
                aside("")
                return None
            except KeyboardInterrupt:
                aside("")
                if interrupted or ENDING.told:
                    raise
                interrupted = True
                aside("Ctrl-C once more to leave, or Ctrl-D.")

    def _question(self) -> str:
        line = self._line(">>> ")
        if not line.lstrip().startswith(_FENCE):
            return line
        text = line.lstrip()[len(_FENCE) :]
        while not text.rstrip().endswith(_FENCE):
            text += "\n" + self._line("... ")
        return text.rstrip()[: -len(_FENCE)].strip("\n")

    def _line(self, prompt: str) -> str:
        with looking_again():
            line = _typed(prompt)
        self._remember(line)
        return line

    def _remember(self, line: str) -> None:
        """Append the line at once: a conversation that is killed, and two at a time, lose nothing."""
        if self._readline is not None and line.strip():
            with contextlib.suppress(OSError, AttributeError):  # libedit has no appending
                self._readline.append_history_file(1, self._file)


def _typed(prompt: str) -> str:
    """One line. The prompt is no answer: where stdout goes to a file, it stands on stderr."""
    if is_terminal(sys.stdout):
        return input(prompt)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def _readline(file: Path) -> Any:
    """The readline module with its history read in; None where there is none, or no place for a history."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        readline = import_module("readline")
        readline.read_history_file(file)
        readline.set_history_length(_KEPT)
    except (ImportError, OSError):
        return None
    return readline


def _history_file() -> Path:
    home = os.environ.get("HFGEN_HOME")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return (Path(home) if home else Path(state) / "hfgen") / "history"
