"""The last steps of planning: the conversation is made to fit, and rendered where it holds nobody up."""

import asyncio
import logging
import math
import warnings
from collections.abc import Callable
from functools import partial
from time import thread_time
from typing import Final, TypeVar

from msgspec.structs import replace

from hfgen.errors import PromptError
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.messages import Messages, ends_with_assistant, images_of, text_of
from hfgen.prompts.budget import fit, least, room, too_long
from hfgen.prompts.inputs import harmless_request, render, source_of
from hfgen.prompts.roles import with_system
from hfgen.providers.plan import Plan, planned
from hfgen.providers.routes import Route
from hfgen.providers.tokens import Count, Counter, counter_of
from hfgen.servers.tokenizer import rendered_by
from hfgen.transport.session import Session

T = TypeVar("T")

_log: Final = logging.getLogger("hfgen.route")

_SMALL: Final = 32_768  # characters; such a prompt is rendered in less than the hop to a thread and back is worth
_QUICK: Final = 0.002  # seconds
_MOST_CORRECTIONS: Final = 3
_MARGIN: Final = 1.02
_MOST_TEMPLATES: Final = 256
_quick: dict[int, None] = {}


class ConversationTrimmed(UserWarning):
    """Messages were left out, because the conversation is longer than the model's context."""


async def ready(generation: Generation, route: Route, facts: ModelFacts, session: Session) -> Plan:
    """The plan for a route, with a conversation that fits the model's context where that is known.

    Raises:
        PromptError: The template refuses the conversation, or not even its last turn fits.
        UsageError: As `planned`.
    """
    generation, trimmed = await _fitted(generation, route, facts, session)
    if not route.dialect.raw:  # nothing to render
        plan = planned(generation, route, facts)
        return replace(plan, trimmed=trimmed) if trimmed else plan
    rendered = await _by_the_server(generation, route, facts, session)
    plan = await _aside(partial(planned, generation, route, facts, rendered), generation, facts)
    source = "" if rendered is None else f"{route.target.name} (/chat_tokenize)"
    return replace(plan, trimmed=trimmed, rendered_by=source)


async def _by_the_server(generation: Generation, route: Route, facts: ModelFacts, session: Session) -> str | None:
    """TGI's rendering, where nobody tells its template; None where it is not needed, or is not of what was asked.

    TGI leaves a last message of the assistant open whether or not that is asked for.
    """
    target, messages = route.target, generation.messages
    if target.kind != "tgi" or target.path or generation.prompt is not None:
        return None
    if source_of(generation, facts) or generation.tools or ends_with_assistant(messages) != generation.continues:
        return None
    if any(True for _ in images_of(messages)):
        return None
    harmless = await _aside(partial(harmless_request, generation, facts), generation, facts)
    prompt = await rendered_by(session, target, with_system(harmless.messages))
    if prompt is None or (generation.continues and not prompt.endswith(text_of(messages[-1].get("content")))):
        return None
    _log.info("no template is known: %s rendered the prompt (/chat_tokenize)", target.name)
    return prompt


async def _fitted(generation: Generation, route: Route, facts: ModelFacts, session: Session) -> tuple[Generation, str]:
    if not (generation.fit and facts.context and generation.messages) or generation.prompt is not None:
        return generation, ""
    limit = room(facts.context, generation.sampling.max_tokens)
    if route.dialect.paints or _size(generation) * 4 + _overhead(generation) <= limit:
        return generation, ""  # no tokenizer makes more tokens than bytes
    count = counter_of(route.target, facts.id, session)
    try:
        whole = await _aside(partial(_rendered, generation, facts, generation.messages), generation, facts)
    except PromptError:
        if route.dialect.raw:
            raise
        return generation, ""  # the server renders it, by a template of its own
    tokens, _ = await count(whole)
    if tokens <= limit:
        return generation, ""
    rest, left = await _shortened(generation, facts, limit, count, tokens / len(whole))
    said = (
        f"the {len(generation.messages) - len(rest)} oldest of {len(generation.messages)} messages were left out: "
        f"{left.tokens} tokens{' by estimate' if left.estimated else ''} are left of a context of {facts.context}"
    )
    warnings.warn(said, ConversationTrimmed, stacklevel=2)
    return replace(generation, messages=tuple(rest)), said


async def _shortened(
    generation: Generation, facts: ModelFacts, limit: int, count: Counter, rate: float
) -> tuple[Messages, Count]:
    """The messages that fit, and their tokens.

    The whole and what is left are counted; between the two a text has tokens by its length, so few questions are asked.
    """
    rendered = partial(_rendered, generation, facts)

    def shorten() -> tuple[Messages, str]:
        rest = fit(generation.messages, rendered, limit, _by_length(rate)).messages
        return rest, rendered(rest)

    for _ in range(_MOST_CORRECTIONS):
        try:
            rest, text = await _aside(shorten, generation, facts)
        except PromptError:
            break  # not even the last turn, by its length: the count below decides
        left = await count(text)
        if left.tokens <= limit:
            return rest, left
        rate *= _MARGIN * left.tokens / limit
    rest = least(generation.messages)
    left = await count(await _aside(partial(rendered, rest), generation, facts))
    if left.tokens > limit:
        raise too_long(left.tokens, limit, estimated=left.estimated)
    return rest, left


def _rendered(generation: Generation, facts: ModelFacts, messages: Messages) -> str:
    return render(replace(generation, messages=tuple(messages)), facts)


def _by_length(rate: float) -> Callable[[str], int]:
    return lambda text: math.ceil(len(text) * rate)


def _size(generation: Generation) -> int:
    return sum(len(text_of(message.get("content"))) for message in generation.messages)


def _overhead(generation: Generation) -> int:
    """Tokens, rather too many, of what a template adds; tools and calls of tools are not guessed at."""
    plain = not generation.tools and not any(message.get("tool_calls") for message in generation.messages)
    return 512 + 64 * len(generation.messages) if plain else 1_000_000


async def _aside(work: Callable[[], T], generation: Generation, facts: ModelFacts) -> T:
    """Do it in a thread, unless the prompt is small and its template, in this process, is known to be quick."""
    key = hash(tuple(facts.templates.values()))
    if key in _quick and _size(generation) <= _SMALL and not generation.isolate:
        return work()

    def timed() -> tuple[T, float]:
        start = thread_time()
        return work(), thread_time() - start

    made, seconds = await asyncio.to_thread(timed)
    if seconds < _QUICK and not generation.isolate and len(_quick) < _MOST_TEMPLATES:
        _quick[key] = None
    return made
