"""The keys that callers of the gateway must bring, from where they are not seen by others."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from hfgen.cli.terminal import aside
from hfgen.errors import UsageError

_VARIABLE: Final = "HFGEN_API_KEY"
_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH


def callers_keys(named: Iterable[str], file: Path | None) -> tuple[str, ...]:
    """The keys of the command line, of the variable and of the file.

    Raises:
        UsageError: A key is empty, or the file has none or cannot be read.
    """
    given = tuple(named)
    if given and _typed("keys"):
        aside(f"warning: whoever is on this machine can read --api-key in the list of processes; {_VARIABLE} is safer")
    variable = (key.strip() for key in os.environ.get(_VARIABLE, "").split(","))
    return (*given, *(key for key in variable if key), *(_read(file) if file else ()))


def _typed(name: str) -> bool:
    """Whether an option stands in the command line, and not in a file."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _read(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        mode = file.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the keys in {file}: {error}") from error
    if mode & _OTHERS:
        aside(f"warning: others can read {file}, or write to it; chmod 600 keeps it for you")
    keys = tuple(key for line in lines if (key := line.strip()) and not key.startswith("#"))
    if not keys:
        raise UsageError(f"there is no key in {file}", hint="Write one a line.")
    return keys
