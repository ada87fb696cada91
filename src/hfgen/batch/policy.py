"""Which answers a batch takes: cut ones or not, and those that a schema describes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from hfgen.batch.answer_schema import AnswerSchema
from hfgen.batch.result import Failure
from hfgen.events import Event, FinishReason, ToolCallDelta

OnLength: TypeAlias = Literal["keep", "retry", "error"]

_MOST_DOUBLINGS: Final = 4


@dataclass(frozen=True, slots=True)
class Again:
    """Ask again.

    Attributes:
        max_tokens: The longest answer from now on.
        failure: What the row ends with where it cannot be asked again.
        redraw: With another seed.
    """

    max_tokens: int | None
    failure: Failure
    redraw: bool = False


Verdict: TypeAlias = Again | Failure | None
"""None takes the answer, a failure ends the row."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of answers that came whole, but not as they were wanted.

    Attributes:
        on_length: Of an answer that ends because it may not be longer: it is kept, asked for again with twice the
            `max_tokens` (up to half of the context), or an error.
        schema: What the text of an answer has to be, as JSON; None for any text.
        tries: How often a row is asked again for the sake of the schema.
    """

    on_length: OnLength = "keep"
    schema: AnswerSchema | None = None
    tries: int = 2

    @property
    def judges(self) -> bool:
        """Whether there is anything that it does not take."""
        return self.on_length != "keep" or self.schema is not None

    def judge(
        self, answers: Sequence[Sequence[Event]], asked_again: int, max_tokens: int | None, context: int | None = None
    ) -> Verdict:
        """What to do with the answers to one row.

        Args:
            answers: The events of each.
            asked_again: How often the row was asked again already.
            max_tokens: What the answers could have at most, None where the server decided.
            context: Tokens of the model's context, None where it is not known.
        """
        if self.on_length != "keep" and any(_is_cut(events) for events in answers):
            return self._longer(asked_again, max_tokens, context)
        if self.schema is None:
            return None
        wrong = next((found for events in answers if (found := self._mismatch(self.schema, events))), "")
        if not wrong:
            return None
        failure = Failure("schema_mismatch", wrong)
        return Again(max_tokens, failure, redraw=True) if asked_again < self.tries else failure

    def _longer(self, asked_again: int, max_tokens: int | None, context: int | None) -> Verdict:
        failure = Failure("length", f"the answer was cut at its longest, {max_tokens or 'the end of the context'}")
        if self.on_length == "error" or max_tokens is None or asked_again >= _MOST_DOUBLINGS:
            return failure
        longest = 2 * max_tokens if context is None else min(2 * max_tokens, context // 2)
        return Again(longest, failure) if longest > max_tokens else failure

    @staticmethod
    def _mismatch(schema: AnswerSchema, events: Sequence[Event]) -> str:
        if any(isinstance(event, ToolCallDelta) for event in events):
            return ""  # a call is no text; its arguments have a schema of their own
        return schema.mismatch(text_of(events))


def text_of(events: Sequence[Event]) -> str:
    """The answer's text, without its reasoning."""
    return "".join(event for event in events if isinstance(event, str))


def asked_for(schema: AnswerSchema) -> Mapping[str, Any]:
    """The schema as `response_format`, for servers that write nothing else then."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema.source, "strict": True}}


def _is_cut(events: Sequence[Event]) -> bool:
    return any(isinstance(event, FinishReason) and event.reason == "length" for event in events)
