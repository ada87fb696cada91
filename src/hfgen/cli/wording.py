"""The library's advice in the words of the command line: `api_base=` is `--api-base`, `model='local'` is `-m local`."""

import re
from functools import cache
from typing import Final, TypeVar

from hfgen.cli.options import known
from hfgen.errors import HfgenError, UsageError

E = TypeVar("E", bound=HfgenError)

# Arguments that have a flag of their own; every other one is `-o name`.
_FLAGS: Final = {
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


def reworded(error: E) -> E:
    """The same error, its hint in the command line's words; a server's words are never touched.

    The message too where the call itself is wrong: before any I/O all words are ours.
    """
    error.hint = in_flags(error.hint)
    if isinstance(error, UsageError):
        error.message = in_flags(error.message)
    return error


def in_flags(text: str) -> str:
    """Each `name=` and `name=value` as a flag, where the name is an argument's; all else stays as it is."""
    return _arguments().sub(_flag, text)


def _flag(match: re.Match[str]) -> str:
    name = match["name"] or match["code"]
    flag = _FLAGS.get(name, f"-o {name}")
    value = (match["value"] or "").strip("'")
    return f"{flag} {value}" if value else flag


@cache
def _arguments() -> re.Pattern[str]:
    names = "|".join(sorted({*_FLAGS, *known()}))
    code = "|".join(_CODE)
    # Not inside a word, an address (`?model=`) or quotation marks.
    return re.compile(rf"(?<![\w?&/.'\"-])(?:(?P<name>{names})=(?P<value>{_VALUE})?|(?P<code>{code}))(?![\w=/'\"])")
