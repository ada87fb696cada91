"""An answer as the cells of a row."""

from typing import Any, Final

import msgspec

from hfgen.batch.result import Result
from hfgen.batch.rows.columns import Kind
from hfgen.errors import UsageError
from hfgen.wire_json import MALFORMED

TEXT: Final[dict[str, Kind]] = {"text": "text", "reasoning": "text", "tool_calls": "text", "finish_reason": "text"}
PICTURE: Final[dict[str, Kind]] = {"path": "text", "sha256": "text", "seed": "int"}
MORE: Final[dict[str, Kind]] = {"more": "text"}
ACCOUNT: Final[dict[str, Kind]] = {
    "prompt_tokens": "int",
    "completion_tokens": "int",
    "cost": "float",
    "model": "text",
    "server": "text",
    "seconds": "float",
    "attempts": "int",
    "error": "text",
}


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw(b"")


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Picture(msgspec.Struct):
    path: str | None = None
    sha256: str | None = None
    seed: int | None = None
    model: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Error(msgspec.Struct):
    message: str | None = None
    code: str | int | None = None


class _Body(msgspec.Struct):
    """What is read of the body of any of the three routes, or of an error."""

    choices: list[_Choice] = []
    data: list[_Picture] = []
    model: str | None = None
    usage: _Usage | None = None
    error: _Error | str | None = None


_decode: Final = msgspec.json.Decoder(_Body).decode


def cells_of(result: Result) -> dict[str, Any]:
    """The cells of a result; one that it says nothing of is left out.

    A choice or a picture beyond the first stands in `more`, as JSON. The tokens are those of the answer; where there is
    none, those that were spent on it. A text that broke off is no answer, and stands in no cell.

    Raises:
        UsageError: The answer is in no form that is known.
    """
    try:
        body = _Body() if result.response is None else _decode(result.response.body)
    except MALFORMED as error:
        raise UsageError(f"the answer to {result.custom_id!r} is in no form that is known: {error}") from None
    account = result.hfgen
    usage = body.usage or _Usage(account.prompt_tokens or None, account.completion_tokens or None)
    return {
        **(_answer_of(body) if result.ok else {}),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": account.cost,
        "model": body.model or (body.data[0].model if body.data else None),
        "server": account.server or None,
        "seconds": account.seconds,
        "attempts": account.attempts,
        "error": _fault_of(result, body),
    }


def _answer_of(body: _Body) -> dict[str, Any]:
    if body.data:
        first = body.data[0]
        cells: dict[str, Any] = {"path": first.path, "sha256": first.sha256, "seed": first.seed}
        others = [{"path": each.path, "sha256": each.sha256, "seed": each.seed} for each in body.data[1:]]
    else:
        said = [_said(choice) for choice in body.choices]
        cells, others = (said[0], said[1:]) if said else ({}, [])
    if others:
        cells["more"] = msgspec.json.encode(others).decode()
    return cells


def _said(choice: _Choice) -> dict[str, Any]:
    message = choice.message or _Message(content=choice.text)
    calls = bytes(message.tool_calls).decode()
    return {
        "text": message.content,
        "reasoning": message.reasoning_content,
        "tool_calls": None if calls in {"", "null"} else calls,
        "finish_reason": choice.finish_reason,
    }


def _fault_of(result: Result, body: _Body) -> str | None:
    if result.error is not None:
        return f"{result.error.code}: {result.error.message}"
    if result.ok or result.response is None:
        return None
    error = _Error(body.error) if isinstance(body.error, str) else body.error or _Error()
    code = f" {error.code}" if error.code else ""
    return f"{result.response.status_code}{code}: {error.message or 'the server gave no reason'}"
