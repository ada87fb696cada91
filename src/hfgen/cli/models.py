"""`hfgen models`: list, search, show, and fetch the local one."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec
from typing_extensions import override

from hfgen.errors import HfgenError, UsageError

_LOCAL_NOTE: Final = (
    "SmolLM2-135M-Instruct (Apache-2.0), run by llama.cpp on this machine. It is a model of 135 million parameters: it "
    "answers simple questions, and it is often wrong."
)


class Words(click.Group):
    """`hfgen models QUERY` searches; `show` and `pull` are commands."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` in front of what is no command."""
        if not (args and (args[0] in self.commands or args[0] in ("-h", "--help"))):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("models", cls=Words)
def command() -> None:
    """List, search and show models: `hfgen models QUERY`."""


@command.command("list")
@click.argument("query", nargs=-1)
@click.option("--task", default="", help="text-generation, image-text-to-text, text-to-image, …")
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True)
def list_command(query: tuple[str, ...], task: str, limit: int, as_json: bool) -> None:
    """Models that can be asked for, by words of their names."""
    rows = asyncio.run(_found(" ".join(query), task, limit))
    if as_json:
        for row in rows:
            click.echo(msgspec.json.encode(row).decode())
        return
    width = max((len(row.id) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row.id:<{width}}  {row.task}".rstrip())


async def _found(query: str, task: str, limit: int) -> Sequence[Any]:
    from hfgen import Session  # noqa: PLC0415 - brings the network along
    from hfgen.hub import catalogue  # noqa: PLC0415
    from hfgen.hub.client import find_token  # noqa: PLC0415

    async with Session() as session:
        try:
            if query or task:
                return await catalogue.search_models(session, query, task, await find_token(), limit)
            return (await catalogue.list_models(session, await find_token()))[:limit]
        except HfgenError as error:
            click.echo(f"hfgen: {error.message}: these are the built-in names", err=True)
    words = query.lower().split()
    named = [row for row in catalogue.built_in_models() if all(word in row.id.lower() for word in words)]
    return [row for row in named if task in ("", row.task)][:limit]


@command.command("show")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True)
def show(model: str, as_json: bool) -> None:
    """What is known of MODEL: its task, template, context, and who serves it."""
    from hfgen import HuggingFaceInference, Session  # noqa: PLC0415
    from hfgen.hub.client import find_token, model_facts  # noqa: PLC0415

    name = HuggingFaceInference.get_model(model)
    if name in ("local", "local/smollm2"):
        _show_local()
        return

    async def facts() -> Any:
        async with Session() as session:
            return await model_facts(session, name.partition(":")[0], await find_token())

    known = asyncio.run(facts())
    if as_json:
        click.echo(msgspec.json.encode(known).decode())
        return
    template = ", ".join(known.templates) or "none: it is asked with a raw prompt"
    for label, value in (
        ("model", known.id),
        ("task", known.task or "?"),
        ("family", known.family or "?"),
        ("context", known.context or "?"),
        ("template", template),
        ("revision", known.revision or "?"),
        ("access", "gated" if known.gated else "private" if known.private else "open"),
    ):
        click.echo(f"{label:<9} {value}")
    for mapping in known.providers:
        state = "" if mapping.live else "  (failing)"
        click.echo(f"provider  {mapping.provider}  {mapping.task}{state}")


def _show_local() -> None:
    from hfgen.providers.weights import find_weights  # noqa: PLC0415

    file = find_weights()
    click.echo(
        f"model     local\nabout     {_LOCAL_NOTE}\nfile      {file or 'not fetched yet: hfgen models pull local'}"
    )


@command.command("pull")
@click.argument("model")
def pull(model: str) -> None:
    """Fetch the local model ahead of its first use: `hfgen models pull local`."""
    from hfgen.providers.weights import find_weights, pull_weights  # noqa: PLC0415

    if model not in ("local", "local/smollm2"):
        raise UsageError(
            f"{model!r} is not fetched: only the local model runs on this machine", hint="hfgen models pull local"
        )
    file = find_weights() or pull_weights(lambda line: click.echo(line, err=True))
    click.echo(str(file))
