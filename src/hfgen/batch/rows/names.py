"""The name of a row, by which the output knows it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from hfgen.batch.bad_row import RowFault
from hfgen.batch.rows.template import check_column

_USUAL: Final = ("custom_id", "id")


@dataclass(frozen=True, slots=True)
class Names:
    """Where the names of a table's rows are.

    Attributes:
        column: The column that holds them; None to count the rows.
    """

    column: str | None = None

    @classmethod
    def among(cls, columns: Collection[str], asked: str | None) -> "Names":
        """The column that is asked for ("" for none), else `custom_id` or `id` where there is one.

        Raises:
            UsageError: There is no such column.
        """
        if asked:
            check_column(asked, columns, "--id-column")
            return cls(asked)
        if asked is not None:
            return cls()
        return cls(next((name for name in _USUAL if name in columns), None))

    def of(self, row: int, values: dict[str, Any]) -> str:
        """A row's name.

        Raises:
            RowFault: The column holds no text and no whole number.
        """
        if self.column is None:
            return numbered(row)
        value = values.get(self.column)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        shown = "missing" if value is None else "empty" if value == "" else f"of type {type(value).__name__}"
        raise RowFault(f"{self.column}: the row's name is {shown}; it is a text or a whole number (--id-column)")


def numbered(row: int) -> str:
    """The name of a row among rows that have none of their own."""
    return f"row-{row}"


def nameless(row: int) -> str:
    """The name of a row that cannot be read among rows that have their own, which may well be `row-1`."""
    return f"invalid-row-{row}"
