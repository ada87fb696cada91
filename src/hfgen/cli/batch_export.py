"""`hfgen batch export OUTPUT --to FILE`: the answers as a table."""

from pathlib import Path
from typing import Any, Final

import click

from hfgen.cli.batch_input import reading, reads_input
from hfgen.cli.terminal import aside
from hfgen.errors import UsageError

# \b is click's mark, the character itself: the paragraph after it keeps its lines.
_HELP: Final = """\
Make a table of OUTPUT, the --out of a batch: one row for each result, with the columns text, reasoning, finish_reason,
prompt_tokens, completion_tokens, model, server, seconds, attempts, error; those of the input before them, with --input.

\b
hfgen batch export a.jsonl --to a.parquet --input rows.csv --order input
hfgen batch export a.jsonl --to - --format csv | head

The batch may still be running. In CSV a cell that a spreadsheet would take for a formula begins with '.
"""


@click.command("export", help=_HELP)
@click.argument("output", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "place", required=True, metavar="FILE", help="JSONL, CSV or Parquet by its name; - for stdout.")
@click.option("--to-format", type=click.Choice(("jsonl", "csv", "parquet")), help="Where the name does not say.")
@click.option("--input", "source", metavar="INPUT", help="The batch's input, for its columns.")
@click.option("--order", type=click.Choice(("completion", "input")), default="completion", show_default=True)
@click.option("--errors", metavar="FILE", help="Rows without an answer go here, and not to the others.")
@reads_input
def command(output: Path, place: str, **given: Any) -> None:
    """Write the table; `_HELP` is what a person reads."""
    from hfgen.batch.export.export import Export, export  # noqa: PLC0415 - for this command only

    asked = Export(
        output,
        place,
        source=given["source"],
        reading=reading(given),
        order=given["order"],
        form=given["to_format"],
        errors=given["errors"],
    )
    try:
        done = export(asked)
    except BrokenPipeError:  # whoever reads us has enough
        raise
    except OSError as error:
        raise UsageError(f"{error.filename or place}: {error.strerror or error}") from None
    for name, other in done.renamed.items():
        aside(f"the input has a column {name} of its own: the answer's is called {other}")
    missing = f", {done.missing:,} rows of the input have no result yet" if done.missing else ""
    aside(f"{place}: {done.answers:,} answers, {done.failures:,} failures{missing}")
