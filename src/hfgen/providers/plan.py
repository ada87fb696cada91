"""What is sent, and where: the outcome of planning, and the steps that every plan shares."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from hfgen.asked import given
from hfgen.errors import ModelNotSupportedError, UsageError
from hfgen.facts import ModelFacts
from hfgen.generation import Generation, Picture
from hfgen.hub import catalogue
from hfgen.messages import images_of, last_user_text
from hfgen.prompts.bos import added_unasked, written_once
from hfgen.prompts.inputs import render
from hfgen.providers.notices import say_extra_bos
from hfgen.providers.routes import Route, Want
from hfgen.providers.verbatim import Verbatim
from hfgen.sizes import native_of, size_for

_NOTHING_KNOWN: Final = ModelFacts(id="")
_NOTHING_TO_PAINT: Final = Picture()


class Plan(msgspec.Struct, frozen=True):
    """One request, ready to go.

    Attributes:
        generation: What is asked; its `prompt` is final where the dialect is a raw one.
        thinking: The prompt itself opens the model's reasoning, so the answer begins inside it.
        facts: What is known of the model.
        rendered: Plans the same request as a rendered prompt, at the same server, or None where it takes none: an
            answer that breaks off goes on there.
        trimmed: Which messages were left out to fit the context, "" when none was.
        verbatim: Puts text of the model behind the prompt as numbers of tokens; None where the server takes none.
        rendered_by: Who rendered the prompt where hfgen knows no template, "" when hfgen did.
    """

    generation: Generation
    route: Route
    thinking: bool = False
    facts: ModelFacts = _NOTHING_KNOWN
    rendered: "Callable[[], Awaitable[Plan | None]] | None" = None
    verbatim: Verbatim | None = None
    trimmed: str = ""
    rendered_by: str = ""


def wanted(generation: Generation, facts: ModelFacts) -> Want:
    """Which kind of request answers this, by the facts and never by the name.

    Raises:
        ModelNotSupportedError: The model's task is neither text nor pictures, or not the pictures that were asked for.
    """
    if known_task(generation) == "text-to-image" and facts.task and not facts.makes_images:
        options = ", ".join(f"{name}=" for name in _painters_options(generation))
        raise ModelNotSupportedError(
            f"{facts.id} is a model for {facts.task}: it makes no pictures",
            hint=f"Leave out {options}: that is for pictures."
            if options and generation.mode != "image"
            else "`hfgen models --task text-to-image` lists the models that do.",
        )
    if facts.makes_images or known_task(generation) == "text-to-image":
        return "image"
    if facts.task and not facts.makes_text:
        raise ModelNotSupportedError(
            f"{facts.id} is a model for {facts.task}; hfgen streams text and makes pictures",
            hint="`hfgen models` lists the models that do.",
        )
    if generation.mode == "chat":
        return "chat"
    asks_raw = generation.mode == "raw" or generation.prompt is not None or generation.continues or generation.template
    return "raw" if asks_raw or (facts.task and not facts.chats) else "chat"


def known_task(generation: Generation) -> str:
    """The task that the call itself shows, "" where it shows none."""
    named = generation.model in catalogue.IMAGE_MODELS
    paints = replace(generation.picture, n=1) != _NOTHING_TO_PAINT
    asks = generation.mode == "image" or (generation.mode == "auto" and paints)
    return "text-to-image" if named or asks else ""


def _painters_options(generation: Generation) -> list[str]:
    """The options of the call that only a picture has; a number of answers (`n`) may be of anything."""
    words = replace(generation, picture=_NOTHING_TO_PAINT)
    return sorted(given(generation).keys() - given(words).keys() - {"n"})


def planned(generation: Generation, route: Route, facts: ModelFacts, rendered: str | None = None) -> Plan:
    """The plan for a route: a raw dialect gets the exact prompt, with the BOS written once.

    Args:
        generation: What is asked.
        route: Where.
        facts: What is known of the model.
        rendered: The prompt as the server itself rendered it, its BOS already gone.

    Raises:
        PromptError: The template refuses the conversation.
        UsageError: Pictures in a conversation that has to be sent as plain text, or nothing to paint.
    """
    if route.dialect.paints:
        picture = replace(generation.picture, size=size_for(generation.picture.wish, native_of(facts)))
        return Plan(replace(generation, prompt=_to_paint(generation), picture=picture), route, facts=facts)
    if not route.dialect.raw:
        return Plan(generation, route, facts=facts)
    if generation.prompt is None and any(True for _ in images_of(generation.messages)):
        raise UsageError(
            f"{route.target.name} takes a raw prompt here, and a picture cannot be part of one",
            hint="Leave the pictures out, or ask over a chat route (mode='chat').",
        )
    prompt = render(generation, facts) if rendered is None else rendered
    thinking = generation.prompt is None and prompt.rstrip().endswith("<think>")
    bos = facts.special_tokens.get("bos_token", "")
    if generation.prompt is None and rendered is None and not route.dialect.writes_bos:
        if added_unasked(prompt, bos, facts.adds_bos):
            say_extra_bos(route.target.name, bos)
        prompt = written_once(prompt, bos, facts.adds_bos)
    return Plan(replace(generation, prompt=prompt), route, thinking, facts)


def _to_paint(generation: Generation) -> str:
    text = (generation.prompt or last_user_text(generation.messages)).strip()
    if not text:
        raise UsageError("nothing to paint: give prompt=, or a user message that says what the picture shows")
    return text
