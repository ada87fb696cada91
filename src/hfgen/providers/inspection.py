"""The exact prompt that a model gets, and all that it was made of. Asking for it is `inspector`'s affair."""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.prompts.inputs import render
from hfgen.wire import Target

if TYPE_CHECKING:
    from hfgen.providers.plan import Plan


class Inspected(msgspec.Struct, frozen=True):
    """A prompt, and all that it was made of.

    Attributes:
        asked: What was asked, by the model's own name.
        facts: The model's.
        prompt: To the byte, its BOS included where hfgen knows the template.
        rendered_by: Who rendered it where hfgen knows no template, "" when hfgen did.
        trimmed: Which messages were left out to fit the context, "" when none was.
        target: The server that would get it, or None where none was asked.
    """

    asked: Generation
    facts: ModelFacts
    prompt: str
    rendered_by: str = ""
    trimmed: str = ""
    target: Target | None = None


def of_plan(asked: Generation, plan: "Plan", *, opens_turn: bool = True, now: datetime | None = None) -> Inspected:
    """What a planned request sends; arguments as for `render`."""
    asked = replace(asked, messages=plan.generation.messages)
    if plan.rendered_by:
        asked = replace(asked, model=plan.facts.id or asked.model)
        seen = Inspected(asked, plan.facts, plan.generation.text, plan.rendered_by)
    else:
        seen = of_facts(asked, plan.facts, opens_turn=opens_turn, now=now)
    return replace(seen, trimmed=plan.trimmed, target=plan.route.target)


def of_facts(
    asked: Generation, facts: ModelFacts, *, opens_turn: bool = True, now: datetime | None = None
) -> Inspected:
    """What a model gets whose facts are known; arguments as for `render`."""
    if facts.id:
        asked = replace(asked, model=facts.id)
    return Inspected(asked, facts, render(asked, facts, opens_turn=opens_turn, now=now))
