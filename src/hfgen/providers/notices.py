"""Saying once what a caller should know and no error is due for."""

import warnings
from collections.abc import Iterable
from typing import Final

from hfgen.errors import HfgenError, ModelLoading, UsageError
from hfgen.events import Progress

_MOST: Final = 4096
_said: dict[tuple[str, str], None] = {}


class OptionIgnored(UserWarning):
    """An option was left out, because this server would ignore it or refuse the request for it."""


class PromptDiffers(UserWarning):
    """The server makes something else of the prompt than the model was trained on, and cannot be told not to."""


def waiting(error: HfgenError) -> Progress:
    """Says what a wait is for."""
    return Progress("loading" if isinstance(error, ModelLoading) else "waiting", detail=error.message)


def say_extra_bos(server: str, bos: str) -> None:
    """Warn, once for each server, that it puts a BOS in front which the model's template does not have."""
    if (server, bos) not in _said and len(_said) < _MOST:
        _said[server, bos] = None
        warnings.warn(
            f"{server} puts {bos} in front of the prompt, which the model's own template does not have; "
            "this route cannot turn it off, a chat route does without",
            PromptDiffers,
            stacklevel=2,
        )


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
