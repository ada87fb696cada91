"""The flags that say how the input of a batch is read."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from hfgen.batch.rows.input import Reading

F = TypeVar("F", bound=Callable[..., Any])

_FORMS: Final = ("openai", "jsonl", "csv", "tsv", "text", "parquet")
_FLAGS: Final = (
    click.option("--column", metavar="NAME", help="What is asked; else prompt, messages or text."),
    click.option("--template", metavar="TEXT", help="What is asked, over columns: 'Summarise: {text}'."),
    click.option("-s", "--system", default="", metavar="TEXT", help="The first message of each conversation."),
    click.option("--raw", "kind", flag_value="raw", help="Prompts are sent as they are, for the model to go on with."),
    click.option("--image", "kind", flag_value="image", help="Prompts are painted, into OUTPUT_files/."),
    click.option("--id-column", metavar="NAME", help="The rows' names; else custom_id or id, else counted."),
    click.option("--format", "form", type=click.Choice(_FORMS), help="Of the input, where its name does not say."),
    click.option("--limit", type=click.IntRange(1), help="Only the first rows of the input."),
    click.option("--shard", metavar="I/N", help="Only every Nth row: for several machines with an output each."),
)


def reads_input(command: F) -> F:
    """A command with these flags, in this order."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def reading(given: Mapping[str, Any]) -> "Reading":
    """What the flags say.

    Raises:
        UsageError: They contradict each other.
    """
    from hfgen.batch.rows.asking import Asking  # noqa: PLC0415 - for batches only
    from hfgen.batch.rows.input import Reading  # noqa: PLC0415
    from hfgen.batch.rows.shard import Shard  # noqa: PLC0415
    from hfgen.batch.rows.template import Template  # noqa: PLC0415

    template = Template.parse(given["template"]) if given["template"] else None
    return Reading(
        form=given["form"],
        asking=Asking(given["column"], template, given["system"], given["kind"] or "chat"),
        id_column=given["id_column"],
        shard=Shard.parse(given["shard"]) if given["shard"] else Shard(),
        limit=given["limit"],
    )
