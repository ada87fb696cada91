"""The list of models: who can be asked for now."""

from collections.abc import Sequence

import click
import msgspec

from hfgen.cli.tables import print_table, shown
from hfgen.cli.terminal import aside
from hfgen.errors import HfgenError
from hfgen.hub.catalogue import Listed, built_in_models, list_models, search_models
from hfgen.hub.client import find_token
from hfgen.transport.session import Session

_HEADS = ("model", "task", "served by", "likes", "downloads")


async def find(query: str, task: str, limit: int) -> Sequence[Listed]:
    """The models that match, from the Hub; where it cannot be asked, of the built-in names, and that is said."""
    async with Session() as session:
        try:
            token = await find_token()
            if query or task:
                found = await search_models(session, query, task, token, limit)
                return found or _built_in(query, task)[:limit]
            return (await list_models(session, token))[:limit]
        except HfgenError as error:
            aside(f"{error.message}: these are the built-in names")
    return _built_in(query, task)[:limit]


def print_list(models: Sequence[Listed], *, as_json: bool) -> None:
    """One model a line."""
    if as_json:
        for model in models:
            click.echo(msgspec.json.encode(model).decode())
        return
    if not models:
        aside("no model that can be asked for has these words in its name and this task")
        return
    rows = ((m.id, shown(m.task), shown(", ".join(m.providers)), shown(m.likes), shown(m.downloads)) for m in models)
    print_table(_HEADS, rows, right=frozenset({"likes", "downloads"}))


def _built_in(query: str, task: str) -> list[Listed]:
    words = query.lower().split()
    named = (model for model in built_in_models() if all(word in model.id.lower() for word in words))
    return [model for model in named if task in ("", model.task)]
