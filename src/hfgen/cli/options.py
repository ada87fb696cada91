"""`-o KEY VALUE`: any option of the library, checked against its type."""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, get_args

import msgspec
from typing_extensions import get_type_hints

from hfgen.errors import UnknownOption, UsageError
from hfgen.options import Options

# msgspec's names of types, but null.
_WORDS: Final = {
    "array": "a JSON list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a JSON object",
    "str": "text",
}


def options(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The options by name; the last of several of one name wins.

    Raises:
        UnknownOption: No option has this name.
        UsageError: The value is of another type.
    """
    return {name: _value(name, text) for name, text in pairs}


@cache
def known() -> Mapping[str, Any]:
    """Every option and its type: those of the library, and arguments that have a flag of their own or none."""
    named = {
        "max_tokens": int | None,
        "temperature": float | None,
        "seed": int | None,
        "timeout": float | None,
        "aspect_ratio": str | None,
        "width": int | None,
        "height": int | None,
        "extra_data": dict[str, Any] | None,
    }
    return {**named, **get_type_hints(Options)}


def _value(name: str, text: str) -> Any:
    """JSON where that fits the option's type, else the text itself."""
    if name not in known():
        near = difflib.get_close_matches(name, known(), n=1)
        hint = f"Did you mean {near[0]}?" if near else f"The options are: {', '.join(sorted(known()))}."
        raise UnknownOption(f"no option is called {name!r}", hint=hint)
    kind = known()[name]
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError):  # a ValidationError is a DecodeError
        pass
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"-o {name} {text!r}: {_expected(kind, error)} is expected") from error


def _expected(kind: Any, error: msgspec.ValidationError) -> str:
    """What msgspec expected, in a user's words."""
    if choices := [choice for choice in get_args(kind) if isinstance(choice, str)]:
        return f"one of {', '.join(choices)}"
    names = re.findall(r"\w+", str(error).partition("`")[2].partition("`")[0])
    return " or ".join(_WORDS[name] for name in names if name in _WORDS) or "another value"
