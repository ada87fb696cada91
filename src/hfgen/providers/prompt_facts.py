"""The facts that a prompt is rendered with, from whom they are trusted most: Hub, folder, GGUF file, the server itself.

Why in this order: docs/decisions/0011-template-sources.md.
"""

import asyncio
import contextlib

from msgspec.structs import replace

from hfgen.errors import HfgenError
from hfgen.facts import ModelFacts
from hfgen.hub.client import facts_at_hand, find_token, hub_offline
from hfgen.servers.detect import ServerFacts
from hfgen.servers.tokenizer import adds_bos, template_of
from hfgen.sources import facts_of_path, is_path
from hfgen.transport.session import Session
from hfgen.wire import Target

_HERE = ("127.0.0.1", "localhost", "[::1]")


async def prompt_facts(asked: str, server: ServerFacts, root: Target, session: Session) -> ModelFacts:
    """The first facts that hold a template; else the most trusted ones there are.

    Args:
        asked: The model as the caller names it: `owner/name`, a path, or "" for whatever the server has.
        server: What the server says of itself.
        root: Where it is.
        session: The network.

    Raises:
        HfgenError: `asked` is a path, and no model is there.
    """
    own = facts_of_server(asked, server, root)
    if is_path(asked):
        found = [await asyncio.to_thread(facts_of_path, asked), own]
    else:
        found = [*await _of_name(asked, server, root, session), own]
    if not any(facts.templates for facts in found) and server.kind == "vllm":
        found.append(await template_of(session, root) or own)
    chosen = next((facts for facts in found if facts.templates), found[0])
    bos = chosen.special_tokens.get("bos_token", "")
    if bos and root.kind != "vllm":  # vLLM is told not to add one
        said = await adds_bos(session, root, bos)
        chosen = chosen if said is None else replace(chosen, adds_bos=said)
    return replace(chosen, context=server.context or chosen.context)


async def _of_name(asked: str, server: ServerFacts, root: Target, session: Session) -> list[ModelFacts]:
    """What the Hub knows of the model's name, or the folder that a server on this machine loaded it from.

    A name that the server does not go by says nothing of what runs there, if the server has a template to show.
    """
    first = next(iter(server.models), "")
    name = server.root if server.root and asked in ("", first) else asked or first
    if is_path(name):
        if root.origin.rpartition("://")[2].rpartition(":")[0] not in _HERE:
            return []  # a path on another machine; on this one it may be anything
        with contextlib.suppress(HfgenError):
            return [await asyncio.to_thread(facts_of_path, name)]
    elif "/" in name and not hub_offline() and (name in (*server.models, server.root) or not server.chat_template):
        with contextlib.suppress(HfgenError):
            facts = await facts_at_hand(session, name.partition(":")[0], await find_token())
            return [facts] if facts else []  # without the Hub the next source serves
    return []


def facts_of_server(asked: str, server: ServerFacts, root: Target) -> ModelFacts:
    """What the server itself says of its model; arguments as for `prompt_facts`."""
    tokens = {"bos_token": server.bos_token, "eos_token": server.eos_token}
    templates = {"default": server.chat_template, "tool_use": server.tool_template}
    return ModelFacts(
        id=asked or next(iter(server.models), ""),
        special_tokens={name: token for name, token in tokens.items() if token},
        templates={name: text for name, text in templates.items() if text},
        context=server.context,
        template_source=f"{root.name} (/props)" if server.chat_template else root.name,
    )
