"""A job on its way to its result, and what it has taken so far: over repeats, and over answers that were not kept."""

from dataclasses import dataclass

from hfgen.batch.job import Job


@dataclass(slots=True)
class Effort:
    """One row under way.

    Attributes:
        job: What is asked.
        begun: When it was first asked, on the event loop's clock; None before that.
        deadline: When its time is over, on the same clock; None where it has no limit.
        first_token: Seconds from the last question to its first token, None where none came.
        attempts: Requests sent, repeats and continuations included.
        failures: Times that it failed as it may by its own doing: a server's error, silence, a cut answer.
        turned_away: Times that it was not taken at all: no connection, a full or loading server.
        asked_again: Answers that the batch's policy did not take.
        max_tokens: The longest answer, where the policy has raised it.
        resumed: How often a stream that broke was continued.
        prompt_tokens: Of every answer, also of those not kept.
        completion_tokens: As `prompt_tokens`.
        server: Who answered, or failed to.
        model: Which model.
    """

    job: Job
    begun: float | None = None
    deadline: float | None = None
    first_token: float | None = None
    attempts: int = 0
    failures: int = 0
    turned_away: int = 0
    asked_again: int = 0
    max_tokens: int | None = None
    resumed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    server: str = ""
    model: str = ""
