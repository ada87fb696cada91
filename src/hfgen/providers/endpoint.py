"""Planning for a server whose address is known: the caller's `api_base`, or the local engine."""

import logging
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hfgen.errors import ModelNotSupportedError
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.hub.catalogue import router_endpoint
from hfgen.hub.client import find_token
from hfgen.providers.fitting import ready
from hfgen.providers.notices import say_dropped
from hfgen.providers.plan import Plan, wanted
from hfgen.providers.prompt_facts import facts_of_server, prompt_facts
from hfgen.providers.router import bill, plan_router
from hfgen.providers.routes import DIFFUSION_IMAGES, HF_IMAGE, PATHS, SERVERS, Route, Row, Want
from hfgen.providers.verbatim import verbatim_at
from hfgen.servers.detect import Address, ServerFacts, detect, parse_api_base
from hfgen.sources import is_path
from hfgen.transport.session import Session
from hfgen.wire import ServerKind, Target, origin_of

_log: Final = logging.getLogger("hfgen.route")

# Hosts of Hugging Face, which the user's Hugging Face token is meant for.
_HUGGING_FACE: Final = (".huggingface.co", ".hf.co", ".huggingface.cloud", ".hf.space")
_NOTHING_KNOWN: Final = ModelFacts(id="")


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
    router = router_endpoint()
    if address.root == router and address.api in ("", "chat"):
        return await plan_router(generation, api_key or await find_token(), session)
    token = api_key or (await find_token() if _is_hugging_face(address.root, router) else None)
    server = await detect(session, address, token)
    _log.info("found %s at %s", server.name, address.root)
    label = label or f"{server.name} at {origin_of(address.root)}"
    _say_lost(generation, server, label)
    asked, name = generation.model, _name_there(generation.model, server)
    generation = generation if name == asked else replace(generation, model=name)
    want = wanted(generation, _NOTHING_KNOWN)
    row = _row_of_path(address, want, server.kind) if address.api else _row(server, want)
    path = address.path if address.api else ""
    root = Target(
        address.root,
        server.kind,
        generation.model,
        token,
        headers=bill(generation) if server.kind == "router" else {},
        label=label,
        adapter=_adapter(generation.model, server),
    )
    target = replace(root, base=root.base + row.base, path=path)
    if row.dialect.raw:
        facts = await _rendered_with(asked, generation, server, root, session)
        return await _raw(generation, Route(row.dialect, target), facts, root, session)
    plan = await ready(generation, Route(row.dialect, target), facts_of_server(asked, server, root), session)
    if address.api or want != "chat" or not server.chat_template:
        return plan
    return replace(plan, rendered=partial(_rendered, asked, generation, server, root, session))


def _is_hugging_face(root: str, router: str) -> bool:
    """The router counts wherever the user has put it."""
    origin = origin_of(root)
    host = origin.rpartition("://")[2].partition(":")[0]
    return f".{host}".endswith(_HUGGING_FACE) or origin == origin_of(router)


def _row_of_path(address: Address, want: Want, kind: ServerKind) -> Row:
    """The dialect that the path names; under /models/{id} and /predict both text and pictures are asked for."""
    if want == "image" and ("/models/" in address.path or address.api == "toolkit"):
        return Row(HF_IMAGE)
    if address.api == "images" and kind in ("vllm", "sglang"):
        return Row(DIFFUSION_IMAGES)
    if address.api not in PATHS:
        raise ModelNotSupportedError(f"hfgen does not speak the API at {address.path}", hint="Give the server's root.")
    return Row(PATHS[address.api])


def _row(server: ServerFacts, want: Want) -> Row:
    """A server without a chat route gets the rendered prompt."""
    row = SERVERS.get((server.kind, want)) or (SERVERS.get((server.kind, "raw")) if want == "chat" else None)
    if row is None:
        if want == "image":
            raise ModelNotSupportedError(
                f"{server.name} makes no pictures", hint="Ask a server that runs a text-to-image model."
            )
        raise ModelNotSupportedError(
            f"{server.name} takes no raw prompt", hint="Ask another server, or leave out mode=, prompt= and action=."
        )
    return row


async def _rendered_with(
    asked: str, generation: Generation, server: ServerFacts, root: Target, session: Session
) -> ModelFacts:
    """The facts for a raw route; for a prompt that the caller gives those do that cost no question."""
    if generation.prompt is not None:
        return facts_of_server(generation.model, server, root)
    return await prompt_facts(asked, server, root, session)


async def _rendered(
    asked: str, generation: Generation, server: ServerFacts, root: Target, session: Session
) -> Plan | None:
    """The same request as the prompt that the server's own template makes of it, where it takes one."""
    row = SERVERS.get((server.kind, "raw"))
    if row is None:
        return None
    facts = await prompt_facts(asked, server, root, session)
    route = Route(row.dialect, replace(root, base=root.base + row.base))
    return await _raw(generation, route, facts, root, session)


async def _raw(generation: Generation, route: Route, facts: ModelFacts, root: Target, session: Session) -> Plan:
    plan = await ready(generation, route, facts, session)
    return replace(plan, verbatim=verbatim_at(root, facts, session) if route.dialect.takes_tokens else None)


def _say_lost(generation: Generation, server: ServerFacts, label: str) -> None:
    """Only the router chooses among providers, and only Hugging Face sends a bill."""
    lost = {"provider": generation.provider, "bill_to": generation.bill_to if server.kind != "router" else ""}
    say_dropped(label, (name for name, value in lost.items() if value), strict=generation.strict)


def _adapter(model: str, server: ServerFacts) -> str:
    """The name where it is not that of TGI's own model, with or without its owner: then it is an adapter's.

    TGI answers with its own model to a name that no adapter has (server/models/flash_causal_lm.py), so nothing is lost
    where its model goes by the path that it was loaded from.
    """
    if server.kind != "tgi" or not model:
        return ""
    own = {name.lower() for full in server.models for name in (full, full.rpartition("/")[2])}
    return "" if model.lower() in own else model


def _name_there(model: str, server: ServerFacts) -> str:
    """The model's name on the server's wire: a path is known there as it was given to the server, if at all."""
    first = next(iter(server.models), "")
    if not model or not is_path(model):
        return model or first
    spellings = (model, str(Path(model).expanduser().absolute()))
    if server.root in spellings:
        return first
    return next((name for name in spellings if name in server.models), model)
