"""The library's advice in the words of the command line: `api_base=` is `--api-base`, `model='local'` is `-m local`."""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Final, TypeVar

from hfgen.cli.options import known
from hfgen.errors import HfgenError, UsageError

E = TypeVar("E", bound=HfgenError)

# Arguments that have a flag of their own; every other one is `-o name`.
FLAGS: Final[Mapping[str, str]] = {
    "action": "--continue-text",
    "api_base": "--api-base",
    "api_key": "--api-key",
    "max_tokens": "--max-tokens",
    "model": "-m",
    "model_file": "--model-file",
    "prompt": "--raw",
    "provider": "--provider",
    "proxy": "--proxy",
    "seed": "--seed",
    "temperature": "--temperature",
    "timeout": "--timeout",
}
# What nobody writes but as the name of an argument, with `=` or without.
_CODE: Final = ("api_base", "api_key", "model_file")
_VALUE: Final = r"'[^']*'|-?\w+(?:\.\w+)*"


@contextmanager
def worded(flags: Mapping[str, str]) -> Generator[None]:
    """Errors leave with their advice in the flags of one command."""
    try:
        yield
    except HfgenError as error:
        reworded(error, flags)
        raise


def reworded(error: E, flags: Mapping[str, str] = FLAGS) -> E:
    """The same error, its hint in the command line's words; a server's words are never touched.

    The message too where the call itself is wrong: before any I/O all words are ours.
    """
    error.hint = in_flags(error.hint, flags)
    if isinstance(error, UsageError):
        error.message = in_flags(error.message, flags)
    return error


def in_flags(text: str, flags: Mapping[str, str] = FLAGS) -> str:
    """Each `name=` and `name=value` as a flag, where the name is an argument's; all else stays as it is."""
    return _arguments(frozenset(flags)).sub(lambda match: _flag(match, flags), text)


def _flag(match: re.Match[str], flags: Mapping[str, str]) -> str:
    name = match["name"] or match["code"]
    flag = flags.get(name, f"-o {name}")
    value = (match["value"] or "").strip("'")
    return f"{flag} {value}" if value else flag


@cache
def _arguments(flags: frozenset[str]) -> re.Pattern[str]:
    names = "|".join(sorted({*FLAGS, *flags, *known()}))
    code = "|".join(_CODE)
    # Not inside a word, an address (`?model=`) or quotation marks.
    return re.compile(rf"(?<![\w?&/.'\"-])(?:(?P<name>{names})=(?P<value>{_VALUE})?|(?P<code>{code}))(?![\w=/'\"])")
