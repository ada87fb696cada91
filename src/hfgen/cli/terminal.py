"""What a terminal can show, and what must not reach it."""

import os
import re
import sys
from typing import Final, TextIO

import click

# C0 and C1 but tab and line feed, DEL, and the marks that turn the direction of text: they could move a terminal's
# cursor, set its clipboard, or hide what stands there.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text with its control characters made visible, for a terminal."""
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sits at the other end."""
    return stream is not None and stream.isatty()


def draws(stream: TextIO | None) -> bool:
    """Whether it is a terminal on which the cursor can be moved."""
    return is_terminal(stream) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def styled(stream: TextIO | None) -> bool:
    """Whether to write in colours: NO_COLOR (no-color.org) says no, FORCE_COLOR yes, else a terminal that draws."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or draws(stream)


def aside(text: str, *, newline: bool = True) -> None:
    """Say something that is no answer: on stderr, dim where that can be seen."""
    text = harmless(text) if is_terminal(sys.stderr) else text
    colour = styled(sys.stderr)
    click.echo(click.style(text, dim=True) if colour else text, err=True, nl=newline, color=colour)


def complain(text: str) -> None:
    """Say what went wrong, on stderr."""
    click.echo(harmless(text) if is_terminal(sys.stderr) else text, err=True)


def write_utf8() -> None:
    """Let an answer be UTF-8 whatever the locale says, and never fail on what cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a replaced stdout may have none
        if reconfigure is not None:
            reconfigure(encoding=None if is_terminal(stream) else "utf-8", errors="replace", newline="\n")
