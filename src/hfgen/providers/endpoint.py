"""Planning for a server whose address is known: the caller's `api_base`, or the local engine."""

import contextlib
from dataclasses import replace
from typing import Final

from hfgen.errors import HfgenError, ModelNotSupportedError
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.hub.client import find_token, hub_offline, model_facts
from hfgen.providers.fitting import ready
from hfgen.providers.plan import Plan, known_task, wanted
from hfgen.providers.routes import HF_IMAGE, PATHS, SERVERS, Route, Row, Want
from hfgen.servers.detect import Address, ServerFacts, detect, parse_api_base
from hfgen.transport.session import Session
from hfgen.wire import Target, origin_of

# Hosts of Hugging Face, which the user's Hugging Face token is meant for.
_HUGGING_FACE: Final = ("huggingface.co", "hf.co", "huggingface.cloud", "hf.space")


async def plan_endpoint(
    generation: Generation, api_base: str, api_key: str | None, session: Session, *, label: str = ""
) -> Plan:
    """Find out which server is there, and how it is asked.

    Raises:
        UsageError: The address makes no sense.
        ConnectionFailed: Nobody answers there.
        ModelNotSupportedError: The server has no route for what was asked.
    """
    address = parse_api_base(api_base)
    host = origin_of(address.root).rpartition("://")[2].partition(":")[0]
    ours = any(host == name or host.endswith(f".{name}") for name in _HUGGING_FACE)
    token = api_key or (await find_token() if ours else None)
    server = await detect(session, address, token)
    label = label or f"{server.name} at {origin_of(address.root)}"
    generation = replace(generation, model=generation.model or next(iter(server.models), ""))
    want = wanted(generation, ModelFacts(id=generation.model, task=known_task(generation)))
    row = _row_of_path(address, want) if address.api else _row(server, want)
    path = address.path if address.api else ""
    target = Target(address.root + row.base, server.kind, generation.model, token, path=path, label=label)
    facts = await _facts(generation, server, session) if row.dialect.raw else _told(generation, server)
    return await ready(generation, Route(row.dialect, target), facts, session)


def _row_of_path(address: Address, want: Want) -> Row:
    """The dialect that the path names; under /models/{id} both text and pictures are asked for."""
    if want == "image" and "/models/" in address.path:
        return Row(HF_IMAGE)
    if address.api not in PATHS:
        raise ModelNotSupportedError(f"hfgen does not speak the API at {address.path}", hint="Give the server's root.")
    return Row(PATHS[address.api])


def _row(server: ServerFacts, want: Want) -> Row:
    """A server without a chat route gets the rendered prompt."""
    row = SERVERS.get((server.kind, want)) or (SERVERS.get((server.kind, "raw")) if want == "chat" else None)
    if row is None:
        asked = "makes no pictures" if want == "image" else "takes no raw prompt"
        raise ModelNotSupportedError(
            f"{server.name} {asked}", hint="Ask another server, or leave out mode=, prompt= and action=."
        )
    return row


async def _facts(generation: Generation, server: ServerFacts, session: Session) -> ModelFacts:
    """Facts to render with: what the server says of itself, else the Hub's record where it can be had."""
    known = _told(generation, server)
    if generation.prompt is not None or known.templates or "/" not in generation.model or hub_offline():
        return known
    with contextlib.suppress(HfgenError):  # without the Hub the family's own formatter serves
        facts = await model_facts(session, generation.model.partition(":")[0], await find_token())
        return replace(facts, context=server.context or facts.context)
    return known


def _told(generation: Generation, server: ServerFacts) -> ModelFacts:
    """What the server says of its model."""
    tokens = {"bos_token": server.bos_token, "eos_token": server.eos_token}
    return ModelFacts(
        id=generation.model,
        context=server.context,
        special_tokens={name: token for name, token in tokens.items() if token},
        templates={"default": server.chat_template} if server.chat_template else {},
    )
