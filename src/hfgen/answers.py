"""An answer that is an error becomes an error: the only reader of statuses and error bodies.

Every server has its own form (PROTOCOL of each is named where it matters); what they say is kept in their own words.
"""

import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec

from hfgen.errors import (
    BadRequest,
    EndpointPaused,
    HfgenError,
    MissingAuth,
    ModelLoading,
    ModelNotSupportedError,
    PaymentRequired,
    RateLimited,
    ResponseError,
    ServerError,
)

_LONGEST: Final = 300
_ID_HEADERS: Final = ("x-request-id", "inference-id", "x-amzn-requestid", "cf-ray")
_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_TITLE: Final = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TAGS: Final = re.compile(r"<[^>]*>")
_RATELIMIT_T: Final = re.compile(r";\s*t=(\d+)")

# TGI's `error_type` (router/src/infer/mod.rs) and OpenAI's `type`/`code`, where a 200 carries an error.
_STATUS_OF_TYPE: Final[Mapping[str, int]] = {
    "validation": 422,
    "generation": 424,
    "overloaded": 429,
    "healthcheck": 503,
    "incomplete_generation": 500,
    "incomplete_generation_stream": 500,
    "template_error": 422,
    "missing_template_variable": 422,
    "tool_error": 422,
    "tool_use_failed": 400,
    "invalid_request_error": 400,
    "BadRequestError": 400,
    "exceed_context_size_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "model_not_supported": 404,
    "insufficient_quota": 402,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "unavailable_error": 503,
    "server_error": 500,
}

_HINTS: Final[Mapping[type[HfgenError], str]] = {
    MissingAuth: "Check the token (HF_TOKEN, `hf auth login`, api_key=) and its rights: "
    "https://huggingface.co/settings/tokens",
    PaymentRequired: "Buy credits or subscribe at https://huggingface.co/settings/billing, "
    "name who pays with bill_to=, or use the local model (model='local').",
    ModelNotSupportedError: "Check the model's name and its providers: `hfgen models show NAME`, "
    "https://huggingface.co/settings/inference-providers",
    RateLimited: "Wait and try again, ask less often, or choose another provider (provider=).",
    ModelLoading: "Try again in a while, or give a longer total_timeout.",
    EndpointPaused: "Ask its owner to resume it: https://endpoints.huggingface.co",
}


def error_of_answer(status: int, headers: Mapping[str, str], body: bytes, *, url: str = "") -> HfgenError:
    """The error that an answer of status 300 or more is.

    Args:
        status: The HTTP status.
        headers: The answer's headers, in any case.
        body: What of the body was read.
        url: The address that was asked, for the message of a redirect.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    said = _said(body)
    if 300 <= status < 400:  # noqa: PLR2004
        where = urlsplit(lowered.get("location", "")).hostname or "nowhere"
        asked = urlsplit(url).hostname or "the server"
        return ServerError(
            f"{asked} redirects to {where}, and a request with a token or a prompt does not follow it there",
            hint="Give the final address as api_base.",
            status=status,
        )
    error = _classified(status, said, _wait(lowered, said))
    request_id = next((lowered[name] for name in _ID_HEADERS if lowered.get(name)), "") or _text(said.get("request_id"))
    return error.at(request_id=request_id)


def error_of_event(data: bytes, *, name: str = "") -> HfgenError | None:
    """The error that a server-sent event, or the JSON body of a success, holds; None when it holds none.

    Args:
        data: The event's data, or the body.
        name: The event's own name: what is called `error` is one whatever it holds.
    """
    said = _said(data)
    error: object = said.get("error")
    if not error and not said.get("error_type") and name != "error" and said.get("object") != "error":
        return None
    inner = _dict(error)
    kinds = (said.get("error_type"), inner.get("type"), inner.get("code"), said.get("type"), said.get("code"))
    number = next((kind for kind in (inner.get("http_status_code"), *kinds) if isinstance(kind, int)), 0)
    named = next((_STATUS_OF_TYPE[kind] for kind in kinds if isinstance(kind, str) and kind in _STATUS_OF_TYPE), 0)
    status = named or (number if 400 <= number < 600 else 500)  # noqa: PLR2004
    return _classified(status, said, _wait({}, said))


def _classified(status: int, said: Mapping[str, Any], wait: float | None) -> HfgenError:
    words = _words(said) or f"status {status} with no explanation"
    kind = _kind(status, said, words.lower())
    message = f"{_LEADS.get(kind, 'the server refused')}: {words}" if status else words
    hint = _HINTS.get(kind, "")
    if kind is ModelNotSupportedError:
        return ModelNotSupportedError(message, hint=hint)
    return kind(message, hint=hint, status=status, retry_after=wait)  # type: ignore[call-arg]


_LEADS: Final[Mapping[type[HfgenError], str]] = {
    BadRequest: "the server refused the request",
    MissingAuth: "the server does not accept the token",
    PaymentRequired: "the account has no credit left",
    ModelNotSupportedError: "the server does not have this model or route",
    RateLimited: "too many requests",
    ModelLoading: "the model is not ready yet",
    EndpointPaused: "the endpoint is paused",
    ServerError: "the server failed",
}


def _kind(status: int, said: Mapping[str, Any], words: str) -> type[HfgenError]:
    code = _dict(said.get("error")).get("code")
    unsupported = code == "model_not_supported" or re.search(r"not supported by (any )?provider", words)
    if unsupported or status in (404, 410):
        return ModelNotSupportedError
    if status in (400, 503) and re.search(r"\bpaused\b|invalid state", words):
        return EndpointPaused
    if status in (401, 403):
        return MissingAuth
    if status == 402:  # noqa: PLR2004
        return PaymentRequired
    if status == 429 or said.get("error_type") == "overloaded":  # noqa: PLR2004
        return RateLimited
    loads = said.get("estimated_time") is not None or re.search(r"\bloading\b|scaled to zero|initializing", words)
    if status == 503 and loads:  # noqa: PLR2004
        return ModelLoading
    if status in _RETRYABLE:
        return ResponseError
    return ServerError if status >= 500 or status == 424 else BadRequest  # noqa: PLR2004


def _said(body: bytes) -> dict[str, Any]:
    """The body as a dict: its JSON, or what a person would read of it under "message"."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = None
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if isinstance(value, (list, str)):
        return {"message": value}
    title = _TITLE.search(body[:65536])
    text = (title[1] if title else body[:4096]).decode("utf-8", "replace")
    return {"message": _TAGS.sub(" ", text)}


def _words(said: Mapping[str, Any]) -> str:
    """The server's own words, on one line, trimmed."""
    found: list[str] = []
    for key in ("error", "message", "detail", "title"):
        for text in _texts(said.get(key)):
            if text not in found:
                found.append(text)
        if found:
            break
    if not found and isinstance(said.get("error_type"), str):
        found = [said["error_type"]]
    line = " ".join("; ".join(found).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _texts(value: object) -> Iterator[str]:
    """Every sentence in a value: a string, a list of them, FastAPI's `{loc, msg}`, OpenAI's `{message}`."""
    if isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
    elif isinstance(value, dict):
        item = cast("dict[str, Any]", value)
        place = ".".join(str(part) for part in item.get("loc") or ())
        for text in _texts(item.get("message") or item.get("msg") or item.get("detail") or item.get("error")):
            yield f"{place}: {text}" if place else text


def _wait(headers: Mapping[str, str], said: Mapping[str, Any]) -> float | None:
    """Seconds that the server asks to wait: Retry-After in its three forms, `ratelimit`, `estimated_time`."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    after = headers.get("retry-after", "")
    if after:
        seconds = _number(after)
        return max(0.0, seconds) if seconds is not None else _until(after, headers.get("date", ""))
    limit = _RATELIMIT_T.search(headers.get("ratelimit", ""))
    if limit and re.search(r"\br=0\b", headers.get("ratelimit", "")):
        return float(limit[1])
    estimate = said.get("estimated_time")
    return float(estimate) if isinstance(estimate, (int, float)) else None


def _until(date: str, now: str) -> float | None:
    """From the server's own Date to the date it names: its clock may differ from ours."""
    try:
        return max(0.0, (parsedate_to_datetime(date) - parsedate_to_datetime(now)).total_seconds())
    except (ValueError, TypeError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value and abs(value) < 1e9 else None  # noqa: PLR0124, PLR2004 - NaN is no number


def _dict(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
