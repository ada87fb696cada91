"""`hfgen batch`: many rows as one job; `export` and `status` look at what came of it."""

import importlib
from typing import Any, Final

import click
from typing_extensions import override

_COMMANDS: Final = {
    "run": "Answer every row; what follows a bare `hfgen batch` goes here.",
    "export": "Turn an output into a table: JSONL, CSV or Parquet.",
    "status": "Say how a batch stands, from another terminal too.",
}
# \b is click's mark, the character itself: the paragraph after it keeps its lines.
_HELP: Final = """\
Answer many rows as one job, each of them once, at the pace that the servers allow.

\b
hfgen batch prompts.csv --out answers.jsonl              a column prompt, messages or text
hfgen batch rows.jsonl --out a.jsonl --template 'Summarise: {text}'
hfgen batch requests.jsonl --out a.jsonl                 the form of the OpenAI Batch API
hfgen batch status a.jsonl                               from another terminal
hfgen batch export a.jsonl --to a.parquet                a table, with the input's columns
hfgen batch run --help                                   all flags

The output is also the journal: the same command goes on where it stopped, whatever stopped it.
"""


class Batches(click.Group):
    """`hfgen batch INPUT` is `hfgen batch run INPUT`; a command's module is imported when it is asked for."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(_COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"hfgen.cli.batch_{cmd_name}").command
        return found

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` in front of what is no command; a file called `export` is `./export`."""
        if args and args[0] not in _COMMANDS and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("batch", cls=Batches, help=_HELP, invoke_without_command=False)
def command(**_: Any) -> None:
    """What the commands share: nothing but the name."""
