"""All that is known of one model: by the Hub, by the router, and by us of the local one."""

from dataclasses import dataclass

import click
import msgspec

from hfgen.cli.tables import print_table, shown
from hfgen.cli.terminal import aside, harmless
from hfgen.errors import HfgenError
from hfgen.facts import ModelFacts
from hfgen.hub.catalogue import MODEL_ALIASES
from hfgen.hub.client import find_token, model_facts
from hfgen.hub.offers import Offer, offers_of
from hfgen.providers.weights import LOCAL_MODEL, find_weights
from hfgen.transport.session import Session

_LOCAL_NOTE = (
    f"{LOCAL_MODEL} (Apache-2.0), run by llama.cpp on this machine: a model of 135 million parameters. It answers "
    "simple questions, and it is often wrong."
)
_HEADS = ("provider", "status", "context", "$ in", "$ out", "first token", "tokens/s", "tools", "JSON schema")


@dataclass(frozen=True, slots=True)
class Page:
    """A model's page; None is what nobody says."""

    id: str
    facts: ModelFacts | None = None
    offers: tuple[Offer, ...] = ()
    about: str = ""
    file: str = ""


async def find_page(model: str) -> Page:
    """Ask the Hub and the router; one of them is enough.

    Raises:
        HfgenError: The Hub knows no such model, or neither could be asked.
    """
    name = MODEL_ALIASES.get(model, model).partition(":")[0]
    async with Session() as session:
        token = await find_token()
        facts, unknown = None, None
        try:
            facts = await model_facts(session, name, token)
        except HfgenError as error:
            unknown = error
        try:
            offers = await offers_of(session, facts.id if facts else name, token)
        except HfgenError as error:
            if facts is None:
                raise unknown or error from None
            aside(f"{error.message}: prices and speeds are not known")
            offers = ()
    if facts is None and not offers:
        raise unknown or HfgenError(f"nothing is known of {name}")
    if unknown is not None:
        aside(f"{unknown.message}: only the router's offers are known")
    return Page(facts.id if facts else name, facts, offers)


def local_page() -> Page:
    """The model that comes along."""
    file = find_weights()
    return Page("local", about=_LOCAL_NOTE, file=str(file or ""))


def print_page(page: Page, *, as_json: bool) -> None:
    """The page for a person, or as one JSON object."""
    if as_json:
        click.echo(msgspec.json.encode(page).decode())
        return
    _lines({"model": page.id, **_facts(page)})
    if page.offers:
        click.echo()
        rows = (_row(offer) for offer in page.offers)
        print_table(_HEADS, rows, right=frozenset(_HEADS[2:7]))
        aside("$ for a million tokens; first token in milliseconds; as the router measured them")
    elif page.facts:
        for mapping in page.facts.providers:
            _lines({"provider": f"{mapping.provider}  {mapping.task}{'' if mapping.live else '  (failing)'}"})


def _facts(page: Page) -> dict[str, str]:
    if page.about:
        return {"about": page.about, "file": page.file or "not fetched yet: hfgen models pull local"}
    facts = page.facts
    if facts is None:
        return {}
    templates = ", ".join(facts.templates)
    return {
        "task": shown(facts.task),
        "family": shown(facts.family),
        "context": shown(facts.context),
        "template": templates or ("?" if facts.chats else "none: it is asked with a raw prompt"),
        "revision": shown(facts.revision),
        "access": "gated: its terms have to be accepted on its page" if facts.gated else _access(facts),
    }


def _access(facts: ModelFacts) -> str:
    return "private" if facts.private else "open"


def _row(offer: Offer) -> tuple[str, ...]:
    price = offer.pricing
    unpriced = "free" if offer.is_free else None
    return (
        offer.provider,
        offer.status,
        shown(offer.context_length),
        shown(price.input if price else unpriced),
        shown(price.output if price else unpriced),
        shown(_rounded(offer.first_token_latency_ms, 0)),
        shown(_rounded(offer.throughput, 1)),
        shown(offer.supports_tools),
        shown(offer.supports_structured_output),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _lines(values: dict[str, str]) -> None:
    for label, value in values.items():
        click.echo(f"{label:<9} {harmless(value)}")
