"""Tables: aligned for a person, tabs between for a program."""

import sys
from collections.abc import Iterable, Sequence

import click

from hfgen.cli.terminal import harmless, is_terminal, styled


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset()) -> None:
    """A table under its heads on a terminal; lines of fields with tabs between, without heads, elsewhere.

    Args:
        heads: The columns' names.
        rows: Their fields.
        right: The columns of numbers.
    """
    if not is_terminal(sys.stdout):
        for row in rows:
            click.echo("\t".join(" ".join(field.split()) for field in row))
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and for terminals only
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim" if styled(sys.stdout) else "")
    for head in heads:
        table.add_column(head, justify="right" if head in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(harmless(field)) for field in row))  # as Text: brackets in a name are no markup
    Console().print(table)


def shown(value: object) -> str:
    """A field: `?` for what is not known, which is never 0."""
    match value:
        case None | "" | ():
            return "?"
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case float():
            return f"{value:.10g}"
        case _:
            return str(value)
