"""From an exception to one clear message on stderr and an exit code."""

import os
import sys
import warnings
from collections.abc import Callable

import click

from hfgen.errors import HfgenError

_INTERRUPTED = 130


def guarded(run: Callable[[], object]) -> int:
    """Run a command; the exit code, after a message where one is due.

    HFGEN_DEBUG=1 lets the traceback through.
    """
    warnings.showwarning = _show_warning
    try:
        return _code(run())
    except HfgenError as error:
        if os.environ.get("HFGEN_DEBUG"):
            raise
        click.echo(f"hfgen: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone; Python must not complain of it when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _code(result: object) -> int:
    return result if isinstance(result, int) else 0


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(click.style(f"warning: {message}", dim=True), err=True)
