"""Saying once what a caller should know and no error is due for."""

import warnings
from collections.abc import Iterable
from typing import Final

from hfgen.errors import UsageError

_MOST: Final = 4096
_said: dict[tuple[str, str], None] = {}


class OptionIgnored(UserWarning):
    """An option was left out, because this server would ignore it or refuse the request for it."""


def say_dropped(server: str, options: Iterable[str], *, strict: bool) -> None:
    """Warn, once for each server and option, that the server does not do it.

    Raises:
        UsageError: `strict` was asked for.
    """
    dropped = tuple(options)
    if strict and dropped:
        raise UsageError(
            f"{server} does not take {', '.join(dropped)}",
            hint="Leave it out, or drop strict=True to go on without it.",
        )
    for option in dropped:
        if (server, option) not in _said and len(_said) < _MOST:
            _said[server, option] = None
            warnings.warn(f"{server} does not take {option}: it is left out", OptionIgnored, stacklevel=2)
