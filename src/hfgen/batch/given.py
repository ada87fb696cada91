"""What a Python caller gives as jobs: jobs, prompts, conversations, or requests in the form of the OpenAI Batch API."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import msgspec

from hfgen.batch.bad_row import BadRow
from hfgen.batch.job import URLS, Job, Url
from hfgen.errors import UsageError
from hfgen.messages import Message

Given: TypeAlias = "Job | BadRow | str | Sequence[Message] | Mapping[str, Any]"

_CHAT: Final[Url] = "/v1/chat/completions"


def job_of(given: Given, row: int) -> Job | BadRow:
    """One job.

    Args:
        given: A job, or a row of an input that is none; a prompt; the messages of a conversation; or
            `{"custom_id", "url", "body"}`, in which `custom_id` and `url` (chat) may be left out.
        row: Its place, from 1; a job without a name is called after it.

    Raises:
        UsageError: It is none of these.
    """
    match given:
        case Job() | BadRow():
            return given
        case str():
            return _job(f"row-{row}", _CHAT, {"messages": [{"role": "user", "content": given}]}, row)
        case Mapping():
            return _request(given, row)
        case Sequence():
            return _job(f"row-{row}", _CHAT, {"messages": list(given)}, row)
        case _:
            raise UsageError(f"job {row} is a {type(given).__name__}; it is a Job, a prompt, messages, or a dict")


def _request(given: Mapping[str, Any], row: int) -> Job:
    body, url = given.get("body"), given.get("url", _CHAT)
    custom_id = given.get("custom_id", f"row-{row}")
    if not isinstance(body, Mapping):
        raise UsageError(f"job {row} has no body: a request is {{'custom_id': …, 'url': …, 'body': {{…}}}}")
    if url not in URLS:
        raise UsageError(f"job {row}: url={url!r}: it is one of {', '.join(URLS)}")
    if not isinstance(custom_id, str):
        raise UsageError(f"job {row}: custom_id={custom_id!r}: it is a text")
    return _job(custom_id, url, cast("Mapping[str, Any]", body), row)


def _job(custom_id: str, url: Url, body: Mapping[str, Any], row: int) -> Job:
    try:
        return Job.of(custom_id, url, msgspec.json.encode(body), row)
    except (TypeError, ValueError, RecursionError) as error:  # msgspec's own errors are among them
        raise UsageError(f"job {row} cannot be written as JSON: {error}") from error
