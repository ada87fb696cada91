"""`hfgen models`: list, search, show, and fetch the local one."""

import asyncio
import sys
from typing import Final

import click
from typing_extensions import override

from hfgen.cli.running import stoppable
from hfgen.cli.terminal import aside, draws
from hfgen.errors import UsageError
from hfgen.hub.catalogue import LOCAL_NAMES

# \b is click's mark, the character itself: the paragraph after it keeps its lines.
_HELP: Final = """\
List, search and show models.

\b
hfgen models                    what can be asked for now, trending first
hfgen models qwen coder         by words of their names
hfgen models --task text-to-image
hfgen models show llama-3.3-70b who serves it, at what price and speed
"""


class Words(click.Group):
    """`hfgen models QUERY` searches; `show` and `pull` are commands."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` in front of what is no command; a shell that completes the first word may mean either."""
        completes_first = ctx.resilient_parsing and not args
        if not (completes_first or (args and (args[0] in self.commands or args[0] in ("-h", "--help")))):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("models", cls=Words, help=_HELP)
def command() -> None:
    """What the commands share: nothing but the name."""


@command.command("list")
@click.argument("query", nargs=-1)
@click.option("--task", default="", help="text-generation, image-text-to-text, text-to-image, …")
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_command(query: tuple[str, ...], task: str, limit: int, as_json: bool) -> None:
    """Models that can be asked for, by words of their names.

    Piped, it is one model a line, with tabs between: id, task, providers, likes, downloads of the last month.
    """
    from hfgen.cli.model_list import find, print_list  # noqa: PLC0415 - brings the network along

    print_list(asyncio.run(stoppable(find(" ".join(query), task, limit))), as_json=as_json)


@command.command("show")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="All that is known, the chat templates too, as one JSON object.")
def show(model: str, as_json: bool) -> None:
    """What is known of MODEL: its task, template and context; who serves it, at what price and speed.

    A ? is what nobody says.
    """
    from hfgen.cli.model_page import find_page, local_page, print_page  # noqa: PLC0415 - brings the network along

    print_page(local_page() if model in LOCAL_NAMES else asyncio.run(stoppable(find_page(model))), as_json=as_json)


@command.command("pull")
@click.argument("model")
def pull(model: str) -> None:
    """Fetch the local model ahead of its first use: `hfgen models pull local`. Prints its file."""
    from hfgen.providers.weights import find_weights, pull_weights  # noqa: PLC0415

    if model not in LOCAL_NAMES:
        raise UsageError(
            f"{model!r} is not fetched: only the local model runs on this machine", hint="hfgen models pull local"
        )
    bar = sys.stderr if draws(sys.stderr) else None
    click.echo(str(find_weights() or pull_weights(aside, bar=bar)))
