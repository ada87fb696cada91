"""Asks for the exact prompt that a model gets, wherever the model is."""

from msgspec.structs import replace

from hfgen.generation import Generation
from hfgen.hub import catalogue
from hfgen.hub.client import find_token, model_facts
from hfgen.providers.endpoint import plan_endpoint
from hfgen.providers.huggingface import is_local, plan_local
from hfgen.providers.inspection import Inspected, of_facts, of_plan
from hfgen.providers.tokens import counter_of
from hfgen.transport.session import Session
from hfgen.wire import Target


async def inspect(
    asked: Generation, session: Session, *, api_base: str = "", api_key: str | None = None, fit: bool = True
) -> Inspected:
    """The prompt that a server's raw route, the local model, or a model of the Hub gets.

    Args:
        asked: The conversation, and all that the template is given with it.
        session: The network.
        api_base: A server; else Hugging Face, or the local model.
        api_key: For the server, or the Hugging Face token.
        fit: Leave out the oldest turns that the context has no room for, as an answer would.

    Raises:
        HfgenError: As planning an answer does.
    """
    raw = replace(asked, mode="raw", fit=fit)
    if api_base:
        return of_plan(asked, await plan_endpoint(raw, api_base, api_key, session))
    token = api_key or await find_token()
    if is_local(asked.model, token):
        return of_plan(asked, await plan_local(raw, None, session))
    repo = (asked.model or catalogue.DEFAULT_MODEL).partition(":")[0]
    return of_facts(asked, await model_facts(session, repo, token))


async def token_count(seen: Inspected, session: Session) -> int | None:
    """How many tokens the prompt is, None where nobody here can count them."""
    target = seen.target or Target("", kind="router")  # nobody is asked; the tokenizer's file may be here
    count = await counter_of(target, seen.facts.id, session)(seen.prompt)
    return None if count.estimated else count.tokens
