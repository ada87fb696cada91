"""What became of a job: one line of the output, in the form of the OpenAI Batch API.

A line whose `response` has the status 200 is an answer. Any other status is the server's refusal, with its error in the
body; `error` is set, and `response` is null, where nobody answered.
"""

import msgspec


class Response(msgspec.Struct, frozen=True):
    """An answer over HTTP, or what it would have been.

    Attributes:
        status_code: 200, or the status of the refusal.
        request_id: The server's own name for the request, or "".
        body: The JSON that OpenAI's server would send.
    """

    status_code: int
    request_id: str
    body: msgspec.Raw


class Failure(msgspec.Struct, frozen=True):
    """Why there is no answer.

    Attributes:
        code: A short name for programs, such as `timed_out`.
        message: For people.
    """

    code: str
    message: str


class Account(msgspec.Struct, frozen=True, omit_defaults=True):
    """What OpenAI's form has no word for; it stands in the line under `hfgen`.

    Attributes:
        digest: The job's.
        row: The job's place in the input, from 1.
        attempts: Requests sent, repeats and continuations included.
        seconds: From the first request to the end.
        first_token: Seconds to the first token, None where none came.
        server: Who answered, as a person would name it.
        resumed: How often a stream that broke was continued.
        prompt_tokens: Of all attempts, also of those whose answers were not kept.
        completion_tokens: As `prompt_tokens`.
        cost: In US dollars, None where it is not known exactly.
        costs: At least and at most so much, where only that is known.
        partial: The text that came before a stream failed.
        copied_from: The row that was asked instead, as it asks the same; "" for a row that was asked itself.
    """

    digest: str
    row: int
    attempts: int = 1
    seconds: float = 0.0
    first_token: float | None = None
    server: str = ""
    resumed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    costs: tuple[float, float] | None = None
    partial: str = ""
    copied_from: str = ""


class Result(msgspec.Struct, frozen=True):
    """One line of the output."""

    id: str
    custom_id: str
    response: Response | None
    error: Failure | None
    hfgen: Account

    @property
    def ok(self) -> bool:
        """Whether it is an answer."""
        return self.response is not None and self.response.status_code == 200  # noqa: PLR2004 - the one success

    def line(self) -> bytes:
        """The whole line, its end included."""
        return msgspec.json.encode(self) + b"\n"
