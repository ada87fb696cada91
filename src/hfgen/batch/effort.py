"""A job on its way to its result, and what it has taken so far: over repeats, and over answers that were not kept."""

from dataclasses import dataclass, field

from hfgen.batch.job import Job
from hfgen.batch.pacing.allowance import Need
from hfgen.batch.pacing.pace import Lane
from hfgen.batch.pacing.spending import NOTHING, Cost
from hfgen.batch.question import Question
from hfgen.openai_api.refusal import Refusal


@dataclass(slots=True)
class Effort:
    """One row under way.

    Attributes:
        job: What is asked.
        question: The same as arguments, or why it is none.
        lane: Which rows it shares a pace with.
        need: Tokens that it may take.
        begun: When it was first asked, on the event loop's clock; None before that.
        deadline: When its time is over, on the same clock; None where it has no limit.
        first_token: Seconds from the last question to its first token, None where none came.
        attempts: Requests sent, repeats and continuations included.
        tries: How often it is asked, as the pace counts it.
        failures: Times that it failed as it may by its own doing: a server's error, silence, a cut answer.
        asked_again: Answers that the batch's policy did not take.
        resumed: How often a stream that broke was continued.
        prompt_tokens: Of every answer, also of those not kept.
        completion_tokens: As `prompt_tokens`.
        cost: US dollars so far, None where a price is not known.
        providers: Who has answered the last try, by the router's header.
        server: Who answered, or failed to.
        model: Which model.
    """

    job: Job
    question: Question | Refusal
    lane: Lane
    need: Need
    begun: float | None = None
    deadline: float | None = None
    first_token: float | None = None
    attempts: int = 0
    tries: int = 1
    failures: int = 0
    asked_again: int = 0
    resumed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Cost | None = NOTHING
    providers: set[str] = field(default_factory=set[str])
    server: str = ""
    model: str = ""

    def charge(self, cost: Cost | None) -> None:
        """Add what one try cost."""
        self.cost = None if cost is None or self.cost is None else self.cost.plus(cost)
