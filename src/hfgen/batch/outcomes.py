"""How a row ends, as a line of the output: answered, refused, or with nobody's answer."""

import secrets
from typing import Final

import msgspec

from hfgen.batch.bad_row import BadRow
from hfgen.batch.effort import Effort
from hfgen.batch.result import Account, Failure, Response, Result
from hfgen.errors import BadRequest, HfgenError, ModelNotSupportedError, PromptError, ResponseError, UsageError
from hfgen.openai_api.refusal import Refusal, refusal

OF_THE_ROW: Final = (UsageError, PromptError, ModelNotSupportedError, BadRequest)
"""What the row itself is at fault for: no other row is asked differently for it, and no repeat helps."""


def answered(effort: Effort, body: bytes, seconds: float) -> Result:
    """An answer in OpenAI's form."""
    return _result(effort, seconds, response=Response(200, "", msgspec.Raw(body)))


def refused(effort: Effort, error: HfgenError | Refusal, seconds: float) -> Result:
    """A refusal by its status: the server's own, or what OpenAI's server would say to such a row."""
    worded = error if isinstance(error, Refusal) else refusal(error)
    status = error.status if isinstance(error, ResponseError) and 400 <= error.status < 500 else worded.status  # noqa: PLR2004
    request_id = "" if isinstance(error, Refusal) else error.request_id
    return _result(effort, seconds, response=Response(status, request_id, msgspec.Raw(worded.body())))


def unanswered(effort: Effort, error: HfgenError, seconds: float) -> Result:
    """Nobody answered: every repeat that was allowed has failed."""
    worded = refusal(error)
    failure = Failure(worded.code or "unknown", worded.message)
    return _result(effort, seconds, error=failure, partial=error.partial)


def invalid(row: BadRow) -> Result:
    """A row of the input that is no request."""
    account = Account(row.digest, row.row, attempts=0)
    return Result(_new_id(), row.custom_id, None, row.failure, account)


def rejected(effort: Effort, failure: Failure, text: str, seconds: float) -> Result:
    """There were answers, but none that the batch's policy takes; the last one's text is kept."""
    return _result(effort, seconds, error=failure, partial=text)


def _result(
    effort: Effort,
    seconds: float,
    *,
    response: Response | None = None,
    error: Failure | None = None,
    partial: str = "",
) -> Result:
    job = effort.job
    account = Account(
        job.digest,
        job.row,
        attempts=effort.attempts,
        seconds=round(seconds, 4),
        first_token=None if effort.first_token is None else round(effort.first_token, 4),
        server=effort.server,
        resumed=effort.resumed,
        prompt_tokens=effort.prompt_tokens,
        completion_tokens=effort.completion_tokens,
        partial=partial,
    )
    return Result(_new_id(), job.custom_id, response, error, account)


def _new_id() -> str:
    return f"batch_req_{secrets.token_hex(12)}"
