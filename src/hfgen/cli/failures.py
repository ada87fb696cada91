"""From an exception to one clear message on stderr and an exit code."""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import click

from hfgen.cli.signals import ENDING
from hfgen.cli.terminal import aside, complain
from hfgen.errors import HfgenError


def guarded(run: Callable[[], object]) -> int:
    """Run a command; the exit code, after a message where one is due.

    HFGEN_DEBUG=1 lets the traceback through.
    """
    warnings.showwarning = _show_warning
    with ENDING.heeded():
        code = _exit_code(run)
    return ENDING.exit_code if ENDING.told else code


def _exit_code(run: Callable[[], object]) -> int:
    try:
        result = run()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return ENDING.exit_code
    except Exception as error:  # a traceback helps those who ask for it, and nobody else
        if os.environ.get("HFGEN_DEBUG"):
            raise
        return _told(error)
    return result if isinstance(result, int) else 0


def reader_gone() -> NoReturn:
    """Leave in silence: whoever read us has what it wanted (`hfgen … | head -1`).

    Raises:
        Exit: With code 0.
    """
    for stream in (sys.stdout, sys.stderr):
        # What is still in Python's buffers must not fail again when it is flushed at exit.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise click.exceptions.Exit(0)


def _told(error: Exception) -> int:
    if isinstance(error, HfgenError):
        from hfgen.cli.wording import reworded  # noqa: PLC0415 - 15 ms, for errors only

        complain(f"hfgen: {reworded(error)}")
        return error.exit_code
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    complain(f"hfgen: {what}\nThis is a bug in hfgen; HFGEN_DEBUG=1 shows where it is.")
    return 1


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    aside(f"warning: {message}")
