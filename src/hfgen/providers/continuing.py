"""Going on with an answer that broke off: when that is exact, and how each server is asked for the rest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, cast

from msgspec.structs import replace

from hfgen.generation import Generation
from hfgen.messages import Message, text_of
from hfgen.prompts.inputs import spells_special_token
from hfgen.providers.plan import Plan
from hfgen.providers.routes import Route
from hfgen.providers.seam import Join, NotContinued, OpenSeam, Seam, anchor
from hfgen.providers.shape import Shape
from hfgen.wire import ServerKind

# Servers that go on with the last message of a conversation, and keep every space of what follows: vLLM and SGLang by
# their flags, TGI (infer/chat_template.rs) and llama.cpp (server-common.cpp) by themselves.
_EXACT: Final[frozenset[ServerKind]] = frozenset({"vllm", "sglang", "tgi", "llamacpp"})
# Of these the ones that are certain to go on. TGI begins a new turn where its template has altered the text.
_TOLD_TO: Final[frozenset[ServerKind]] = _EXACT - {"tgi"}
DRAWS: Final = 3  # of the same words, where sampling may bring others
_NEVER: Final[frozenset[ServerKind]] = frozenset({"transformers", "toolkit"})
# Keys of `extra_data` that make an answer more than one text.
_UNSAFE: Final = frozenset(
    {
        "n", "best_of", "logprobs", "top_logprobs", "top_n_tokens", "echo", "suffix", "response_format", "tool_choice",
        "grammar", "json_schema", "structured_outputs", "guided_json", "guided_regex", "guided_choice",
        "guided_grammar", "continue_final_message", "add_generation_prompt",
    }
)  # fmt: skip


class Form(NamedTuple):
    """One way to ask for the rest.

    Attributes:
        wire: `prompt`, the rendered prompt with the text behind it; `message`, the text as the unfinished last message.
        checked: The last words before the break are generated again and compared.
        draw: Which try this is, where sampling may bring the same words only at a further one.
    """

    wire: Literal["prompt", "message"]
    checked: bool = True
    draw: int = 0


@dataclass(frozen=True, slots=True)
class Continuation:
    """A request for the rest of an answer.

    Attributes:
        generation: What is asked.
        route: Of whom, and in which language.
        join: Reads its beginning.
        resent: Tokens of the answer that are sent along.
    """

    generation: Generation
    route: Route
    join: Join
    resent: int


async def rendered(plan: Plan) -> Plan | None:
    """The plan itself where it sends a rendered prompt; else the same request as one, where the server takes it."""
    asked = plan.generation
    if plan.route.dialect.raw:
        return plan
    if plan.rendered is None or asked.tools or asked.continues or asked.template_kwargs:
        return None
    raw = await plan.rendered()
    return None if raw is None or raw.thinking or not raw.facts.templates else raw


def forms(plan: Plan, raw: Plan | None, shape: Shape) -> Iterator[Form]:
    """The ways in which this answer can go on, the most exact first; none where it would not be the same answer.

    Args:
        plan: How the answer was asked for.
        raw: What `rendered` made of it.
        shape: Where the answer stands.
    """
    if not _continuable(plan, shape) or not (plan.generation.heal or _exact(plan)):
        return
    received = "".join(shape.received)
    for form in _in_order(plan, raw):
        source, text = _source(plan, raw, form), received[: _place(form, received)]
        if form.wire == "prompt":
            fits = source.verbatim is not None or not _spells(source, text)
        else:
            fits = not spells_special_token(text, source.facts)
        if fits:
            yield form


async def continued(plan: Plan, raw: Plan | None, form: Form, shape: Shape) -> Continuation:
    """The request for the rest, in one of the forms that `forms` gave; arguments as there.

    Raises:
        NotContinued: The text spells a special token, and the server does not tell how to send it without one.
    """
    received = "".join(shape.received)
    place = _place(form, received)
    join = Seam(received, place) if form.checked else OpenSeam(received)
    resent = shape.tokens_before(place)
    source = _source(plan, raw, form)
    asked = _shortened(source.generation, resent)
    if form.wire == "prompt":
        asked = await _behind_the_prompt(source, asked, received[:place])
    else:
        asked = _with_last_words(asked, received[:place])
    return Continuation(asked, source.route, join, resent)


def _in_order(plan: Plan, raw: Plan | None) -> Iterator[Form]:
    greedy = plan.generation.sampling.temperature == 0
    if plan.route.dialect.raw:
        yield Form("prompt")
        if not greedy:
            yield Form("prompt", checked=False)
        return
    if raw is not None:
        yield Form("prompt")
    yield Form("message")
    if greedy:
        return
    if plan.route.target.kind in _TOLD_TO:
        yield Form("message", checked=False)
    else:  # it may begin another answer without a word, and unchecked that would be shown
        yield from (Form("message", draw=draw) for draw in range(1, DRAWS))


def _place(form: Form, received: str) -> int:
    """How much of the text is sent back."""
    return anchor(received) if form.checked else len(received.rstrip())


def _source(plan: Plan, raw: Plan | None, form: Form) -> Plan:
    return raw if raw is not None and form.wire == "prompt" else plan


async def _behind_the_prompt(source: Plan, asked: Generation, text: str) -> Generation:
    """As text, so that it is cut into tokens with the prompt; by number where it would be read as a special token."""
    if source.verbatim is None or not _spells(source, text):
        return replace(asked, prompt=asked.text + text)
    numbers = await source.verbatim(text)
    if numbers is None:
        raise NotContinued("the text spells a special token of the model, and the server has no way to tell them apart")
    return replace(asked, tail=numbers)


def _spells(source: Plan, text: str) -> bool:
    """Whether the text, behind the prompt, would be read as a special token of the model."""
    return spells_special_token(text, source.facts, behind=source.generation.text)


def left_to_the_caller(plan: Plan, shape: Shape) -> bool:
    """Whether this answer would have been gone on with, had the call asked for it (`heal=True`)."""
    return plan.generation.heal is None and _continuable(plan, shape) and not _exact(plan)


def _exact(plan: Plan) -> bool:
    """Whether servers of this kind are known to go on from the last character."""
    return plan.route.dialect.raw or plan.route.target.kind in _EXACT


def _continuable(plan: Plan, shape: Shape) -> bool:
    """Text alone can go on; what has a form (JSON, tool calls), or was thought, cannot be taken up in the middle."""
    asked, kind = plan.generation, plan.route.target.kind
    if asked.heal is False or kind in _NEVER or not shape.only_text or plan.route.dialect.paints:
        return False
    return asked.response_format is None and asked.sampling.logprobs is None and not _unsafe(asked.extra)


def _unsafe(extra: Mapping[str, Any]) -> bool:
    parameters: object = extra.get("parameters")
    inner = cast("Mapping[str, Any]", parameters).keys() if isinstance(parameters, Mapping) else ()
    return not _UNSAFE.isdisjoint({*extra, *inner})


def _shortened(asked: Generation, resent: int) -> Generation:
    """Asked for fewer tokens by those that have come."""
    limit = asked.sampling.max_tokens
    if limit is None:
        return asked
    return replace(asked, sampling=replace(asked.sampling, max_tokens=max(1, limit - resent)))


def _with_last_words(asked: Generation, text: str) -> Generation:
    """The conversation with the text as the assistant's unfinished message; white space around it is the server's."""
    if asked.continues:
        *before, last = asked.messages
        text = text_of(last.get("content")) + text
    else:
        before, text = list(asked.messages), text.strip()
    if not text:
        return asked
    return replace(asked, messages=(*before, Message(role="assistant", content=text)), continues=True)
