"""From a model's facts to the one prompt it gets: its own template, else its family's layout, else plain text."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from msgspec.structs import replace

from hfgen.errors import UsageError
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.messages import Messages
from hfgen.prompts.forgery import Spellings, guarded, harmless
from hfgen.prompts.layout import formatter_of
from hfgen.prompts.roles import knows_developer, with_system

# Shows each marker of a family's layout.
_SAMPLE: Final[Messages] = (
    {"role": "system", "content": "S"},
    {"role": "user", "content": "U"},
    {"role": "assistant", "content": "A"},
    {"role": "user", "content": "U"},
)

# What `ChatTemplate.render` takes by name; `documents` alone may come as a variable of the template.
_ARGUMENTS: Final = frozenset(
    {"messages", "tools", "add_generation_prompt", "continue_final_message", "now", "chat_template"}
)
_LONGEST_TOKEN: Final = 128  # characters
_JINJA: Final = re.compile(r"\{[{%#]")


def get_inputs(
    messages: Messages, model_data: Mapping[str, Any] | ModelFacts, model_type: str, do_continue: bool = False
) -> str:
    """The prompt of a conversation, by what the Hub's record says of the model.

    Args:
        messages: The conversation.
        model_data: The Hub's record, or its facts.
        model_type: The family (`config.model_type`); the record's own where it is "".
        do_continue: Leave the last message, the assistant's, open.

    Raises:
        PromptError: The model's template refuses the conversation.
        UsageError: The last message is not the assistant's and is to be continued.
    """
    facts = model_data if isinstance(model_data, ModelFacts) else ModelFacts.from_hub(model_data)
    family = model_type or facts.family
    if facts.templates:
        return _from_template(Generation(messages=messages, continues=do_continue), facts)
    return formatter_of(family, facts)(messages, do_continue)


def render(generation: Generation, facts: ModelFacts, *, opens_turn: bool = True, now: datetime | None = None) -> str:
    """The raw prompt of a request: the caller's own, else the rendered conversation.

    What users, tools and documents say cannot spell special tokens, unless `special_tokens_in_content` says "keep".

    Args:
        generation: What is asked.
        facts: The model's.
        opens_turn: Whether a template opens the assistant's turn at the end.
        now: What a template takes for the present, in place of the clock.

    Raises:
        PromptError: The model's template refuses the conversation.
        UsageError: `chat_template` or `chat_template_kwargs` make no sense.
    """
    if generation.prompt is not None:
        return generation.prompt
    made = harmless_request(generation, facts)
    if source_of(made, facts):
        return _from_template(made, facts, opens_turn=opens_turn, now=now)
    return formatter_of(facts.family, facts)(made.messages, made.continues)


def harmless_request(generation: Generation, facts: ModelFacts) -> Generation:
    """The request as it is rendered: what users, tools and documents say spells no special token of this model.

    Raises:
        PromptError: It does, and `special_tokens_in_content` is "refuse".
        UsageError: `chat_template` makes no sense.
    """
    mode = generation.special_tokens or "neutralise"
    if mode == "keep":
        return generation
    spellings = spellings_of(generation, facts)
    messages = guarded(generation.messages, spellings, mode)
    variables = dict(generation.template_kwargs)
    if "documents" in variables:
        variables["documents"] = harmless("documents", variables["documents"], spellings, mode)
    return replace(generation, messages=tuple(messages), template_kwargs=variables)


def spellings_of(generation: Generation, facts: ModelFacts) -> Spellings:
    """What spells a special token of the model in this request.

    Raises:
        UsageError: `chat_template` makes no sense.
    """
    layout = source_of(generation, facts) or formatter_of(facts.family, facts)(_SAMPLE, False)
    return _spellings(tuple(facts.special_tokens.values()), layout)


def pieces_of(prompt: str, generation: Generation, facts: ModelFacts) -> Iterator[tuple[str, bool]]:
    """A prompt in pieces, each either a special token (True) or what stands between two.

    Raises:
        UsageError: `chat_template` makes no sense.
    """
    pieces = spellings_of(generation, facts).whole.split(prompt)  # every second one is a token
    return ((piece, bool(index % 2)) for index, piece in enumerate(pieces) if piece)


def spells_special_token(text: str, facts: ModelFacts, *, behind: str = "") -> bool:
    """Whether a text spells a special token of the model; False where neither its tokens nor its template is known.

    Args:
        text: Where to look.
        facts: The model's.
        behind: What stands before it, where a token may begin that the text completes.
    """
    if not facts.templates and not facts.special_tokens:
        return False
    layout, before = "".join(facts.templates.values()), behind[-_LONGEST_TOKEN:]
    whole = _spellings(tuple(facts.special_tokens.values()), layout).whole
    return any(found.end() > len(before) for found in whole.finditer(before + text))


@lru_cache(maxsize=128)
def _spellings(special_tokens: tuple[str, ...], layout: str) -> Spellings:
    return Spellings(special_tokens, layout)


def template_name(generation: Generation, facts: ModelFacts) -> str:
    """Which of the model's templates is used, as transformers chooses; "" for a source of the caller's own, or none.

    The one asked for; else `tool_use` where tools are given (an empty list counts) and it exists; else `default`.

    Raises:
        UsageError: No template has the name asked for, or there are several and none is the default.
    """
    asked, known = generation.template, facts.templates
    if not known or (asked and asked not in known):
        if asked and not _JINJA.search(asked):  # transformers would take it for a template and print the name
            raise UsageError(
                f"chat_template={asked!r}: the model has no template of that name",
                hint=f"It has: {', '.join(known) or 'none'}. The source of a template may be given too.",
            )
        return ""
    name = asked or ("tool_use" if generation.tools is not None and "tool_use" in known else "default")
    if name in known:
        return name
    if len(known) == 1:
        return next(iter(known))
    raise UsageError(
        "the model has no default chat template", hint=f"Choose one: chat_template= of {', '.join(known)}."
    )


def source_of(generation: Generation, facts: ModelFacts) -> str:
    """The template that renders this; "" where the model has none, so that its family's layout is used.

    Raises:
        UsageError: See `template_name`.
    """
    return facts.templates.get(template_name(generation, facts), generation.template)


def _from_template(
    generation: Generation, facts: ModelFacts, *, opens_turn: bool = True, now: datetime | None = None
) -> str:
    from hfgen.prompts.chat_template import ChatTemplate  # noqa: PLC0415 - brings jinja2 along

    clash = _ARGUMENTS & generation.template_kwargs.keys()
    if clash:
        raise UsageError(f"chat_template_kwargs may not set {', '.join(sorted(clash))}: an argument of the call does")
    source = source_of(generation, facts)
    template = ChatTemplate(source, facts.special_tokens, isolate=generation.isolate)
    return template.render(
        generation.messages if knows_developer(source) else with_system(generation.messages),
        tools=generation.tools,
        add_generation_prompt=opens_turn and not generation.continues,
        continue_final_message=generation.continues,
        now=now,
        **generation.template_kwargs,
    )
