"""The columns of a table that is written: their names, and what they hold."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from hfgen.batch.rows.record import Record

Kind: TypeAlias = Literal["text", "int", "float", "bool", "json"]
"""What a column holds; `json` is anything, as text where it has to be one."""

_LONGEST: Final = 2**63
_PREFIX: Final = "answer_"


def kinds_of(records: Iterable[Record]) -> dict[str, Kind]:
    """Every column that a row has, and the narrowest kind that holds all its values."""
    found: dict[str, Kind | None] = {}
    for record in records:
        for name, value in record.values.items():
            found[name] = _joined(found.get(name), _kind_of(value))
    return {name: kind or "text" for name, kind in found.items()}


def _kind_of(value: object) -> Kind | None:
    match value:
        case None:
            return None
        case bool():
            return "bool"
        case int():
            return "int" if -_LONGEST <= value < _LONGEST else "json"
        case float():
            return "float"
        case str():
            return "text"
        case _:
            return "json"


def _joined(one: Kind | None, other: Kind | None) -> Kind | None:
    if one is None or other is None or one == other:
        return one or other
    return "float" if {one, other} == {"int", "float"} else "json"


def fitted(value: Any, kind: Kind) -> Any:
    """The value as a column of this kind holds it."""
    if value is None or kind in {"text", "int", "bool"}:
        return value
    return float(value) if kind == "float" else written(value)


def written(value: object) -> str:
    """A value as text: a text as it is, a number as JSON writes it, a list or an object as JSON.

    Raises:
        RecursionError: It is nested beyond the interpreter's limit.
    """
    match value:
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "replace")
        case bool() | float() | list() | tuple() | dict():
            return msgspec.json.encode(value, enc_hook=str).decode()
        case _:
            return str(value)  # a whole number of any length, a date, a decimal


def beside(taken: Iterable[str], added: Iterable[str]) -> Mapping[str, str]:
    """The names that added columns have beside those that are there: a name that is taken gets `answer_` before it."""
    names: dict[str, str] = {}
    used = set(taken)
    for name in added:
        free = name
        while free in used:
            free = _PREFIX + free
        used.add(free)
        names[name] = free
    return names
