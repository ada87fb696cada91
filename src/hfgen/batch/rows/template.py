"""Prompts out of columns: `Summarise: {text}`.

A name in braces is a column, `{{` and `}}` are braces, and there is nothing else: no attribute, no index, no format and
no code. What a row holds is put in as it is and never read as a template.
"""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

import msgspec

from hfgen.batch.bad_row import RowFault
from hfgen.batch.rows.columns import written
from hfgen.errors import UsageError

_PIECE: Final = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<column>[^{}]*)\}|(?P<stray>[{}])")


class Template(msgspec.Struct, frozen=True):
    """A template that has been read.

    Attributes:
        pieces: Its texts (at even places) and the columns between them (at odd places).
    """

    pieces: tuple[str, ...]

    @classmethod
    def parse(cls, written: str) -> "Template":
        """Read a template.

        Raises:
            UsageError: A brace without its other one, an empty name, or no column at all.
        """
        pieces = [""]
        end = 0
        for found in _PIECE.finditer(written):
            pieces[-1] += written[end : found.start()]
            end = found.end()
            column: str | None = found["column"]
            if found["stray"] or column == "":
                raise UsageError(
                    f"template: {written[: end + 12]!r} has a brace on its own; write {{{{ or }}}} for one"
                )
            if column is None:
                pieces[-1] += found["brace"][0]
            else:
                pieces += [column, ""]
        pieces[-1] += written[end:]
        if len(pieces) == 1:
            raise UsageError("template: it names no column, so every row would ask the same; write {column}")
        return cls(tuple(pieces))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it asks for, in order."""
        return self.pieces[1::2]

    def filled(self, values: Mapping[str, Any]) -> str:
        """The text for a row.

        Raises:
            RowFault: The row has no such column, or null in it.
        """
        texts = list(self.pieces)
        texts[1::2] = (cell_text(values, column) for column in self.columns)
        return "".join(texts)


def cell_text(values: Mapping[str, Any], column: str) -> str:
    """What a cell holds as text: a text as it is, a number as JSON writes it, a list or an object as JSON.

    Raises:
        RowFault: There is no such cell, or it is null.
    """
    value = values.get(column)
    if isinstance(value, str):
        return value
    if value is None:
        raise RowFault(f"{column}: it is {'null' if column in values else 'missing'}; every row needs it")
    if isinstance(value, bytes):
        raise RowFault(f"{column}: it holds bytes, which are no text")
    try:
        return written(cast("object", value))
    except RecursionError as error:
        raise RowFault(f"{column}: it cannot be written as JSON: {error}") from None


def check_column(name: str, columns: Collection[str], option: str) -> None:
    """Refuse a column that is not there.

    Raises:
        UsageError: It names the columns there are, and the one that is meant.
    """
    if name in columns:
        return
    near = get_close_matches(name, columns, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"{option}: the input has no column {name!r}{meant} {columns_named(columns)}")


def columns_named(columns: Collection[str]) -> str:
    """The columns there are, for a person; a few dozen at most."""
    shown = [repr(name) for name in columns][:30]
    more = f" and {len(columns) - 30} more" if len(columns) > 30 else ""  # noqa: PLR2004 - as shown
    return f"(its columns: {', '.join(shown)}{more})" if shown else "(it has none)"
