"""An answer that is an error becomes an error: the only reader of statuses and error bodies.

Every server has its own form (PROTOCOL of each is named where it matters); what they say is kept in their own words.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from hfgen.errors import (
    BadRequest,
    ContentFiltered,
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
from hfgen.server_words import is_page, said_in, snippet, words_of
from hfgen.waits import asked_wait
from hfgen.wire_json import MALFORMED, patient, without_empty_lists

T = TypeVar("T")

_ID_HEADERS: Final = ("x-request-id", "inference-id", "x-amzn-requestid", "cf-ray")
_LONGEST_ID: Final = 128
_RETRYABLE: Final = frozenset({408, 409, 425})
# OpenAI and Azure; fal has it as the `type` of a detail (docs.fal.ai, model errors).
_FILTERED: Final = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
_UNKNOWN_MODEL: Final = frozenset({"model_not_supported", "model_not_found"})

# Said of the model or of its route; what is said of a parameter ("response_format is not supported by …") is not.
_NO_ROUTE: Final = re.compile(
    r"(?:^|[.:;] )(?:the )?(?:requested )?model(?: \S{1,200})? (?:is )?not supported by (?:\w{1,9} )?provider"
    r"|not allowed to post \S{1,200} for provider"
)
_PAUSED: Final = re.compile(r"\b(?:is|was|been|currently) paused\b|\bendpoint paused\b|\binvalid state\b")
_LOADING: Final = re.compile(r"\bloading\b|scaled to zero|initializing")
# llama.cpp calls these a fault of its own (500), and they would be tried again (tools/server/server-common.cpp).
_BEYOND_IT: Final = re.compile(r"^image input is not supported|^failed to parse (?:tools|messages)\b")
_FULL: Final = re.compile(r"\boverloaded\b")

# TGI's `error_type` (router/src/infer/mod.rs), OpenAI's `code` and `type`, vLLM's class names, llama.cpp's types:
# the status that each stands for where a 200 carries the error.
_STATUS_OF_TYPE: Final[Mapping[str, int]] = {
    "validation": 422,
    "generation": 424,
    "overloaded": 429,
    "healthcheck": 503,
    "incomplete_generation": 500,
    "incomplete_generation_stream": 500,
    "stream_serialization_error": 500,
    "template_error": 422,
    "missing_template_variable": 422,
    "tool_error": 422,
    "tool_use_failed": 400,
    "invalid_request_error": 400,
    "BadRequestError": 400,
    "Bad Request": 400,
    "exceed_context_size_error": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "NotFoundError": 404,
    "model_not_found": 404,
    "model_not_supported": 404,
    "insufficient_quota": 402,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "not_supported_error": 501,
    "unavailable_error": 503,
    "server_error": 500,
    "InternalServerError": 500,
}

_LEADS: Final[Mapping[type[HfgenError], str]] = {
    BadRequest: "the server refused the request",
    ContentFiltered: "the content filter refused it",
    MissingAuth: "the server does not accept the token",
    PaymentRequired: "the account has no credit left",
    ModelNotSupportedError: "the server does not have this model or route",
    RateLimited: "too many requests",
    ModelLoading: "the model is not ready yet",
    EndpointPaused: "the endpoint is paused",
    ServerError: "the server failed",
}

_HINT_GONE: Final = (
    "This address has been retired: give the server's present one as api_base, or leave api_base out "
    "for https://router.huggingface.co."
)
_HINT_UNAVAILABLE: Final = "Try again in a while, or ask another server or provider."
_HINTS: Final[Mapping[type[HfgenError], str]] = {
    ContentFiltered: "Say it in other words, or ask another provider (provider=).",
    MissingAuth: "Check the token (api_key, HF_TOKEN or `hf auth login`) and its rights: "
    "https://huggingface.co/settings/tokens",
    PaymentRequired: "Buy credits or subscribe at https://huggingface.co/settings/billing, "
    "name who pays with bill_to=, or use the local model (model='local').",
    ModelNotSupportedError: "Check the model's name and its providers: `hfgen models show NAME`, "
    "https://huggingface.co/settings/inference-providers",
    RateLimited: "Wait and try again, ask less often, or choose another provider (provider=).",
    ModelLoading: "Try again in a while, or give a longer total_timeout.",
    EndpointPaused: "Ask its owner to resume it: https://endpoints.huggingface.co",
}

# What a pipeline of diffusers says, as the toolkit passes it on, and what a person can do about it.
_PIPELINES_WORDS: Final = (
    (
        re.compile(r"provided `height=\S{1,9} and `width="),
        "This server paints squares only: give the same width and height.",
    ),
    (
        re.compile(r"pipeline\.__call__\(\) got an unexpected keyword argument 'max_new_tokens'"),
        "A model that paints answers there. Ask for a picture: give width= and height=, or another option of pictures.",
    ),
)


def error_of_answer(status: int, headers: Mapping[str, str], body: bytes, *, url: str = "") -> HfgenError:
    """The error that an answer of status 300 or more is.

    Args:
        status: The HTTP status.
        headers: The answer's headers, in any case.
        body: What of the body was read.
        url: The address that was asked, for the message of a redirect.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    said = said_in(body)
    if 300 <= status < 400:  # noqa: PLR2004
        where = _host(lowered.get("location", "")) or "nowhere"
        return ServerError(
            f"{_host(url) or 'the server'} redirects to {where}, and a request with a token or a prompt does not "
            "follow it there",
            hint="Give the final address as api_base.",
            status=status,
        )
    error = _classified(
        status, said, asked_wait(lowered, said.get("estimated_time")), f"status {status} without a word"
    )
    request_id = next((lowered[name] for name in _ID_HEADERS if lowered.get(name)), "") or _text(said.get("request_id"))
    return error.at(request_id=request_id[:_LONGEST_ID])


def error_of_event(data: bytes, *, name: str = "") -> HfgenError | None:
    """The error that a server-sent event, or the JSON body of a success, holds; None when it holds none.

    Args:
        data: The event's data, or the body.
        name: The event's own name: what is called `error` is one whatever it holds.
    """
    said = said_in(data)
    error: object = said.get("error")
    told = bool(error) or error == {} or bool(said.get("error_type")) or said.get("object") == "error"
    if not told and name != "error":
        return None
    inner = _dict(error)
    kinds = (said.get("error_type"), inner.get("code"), inner.get("type"), said.get("code"), said.get("type"))
    named = next((_STATUS_OF_TYPE[kind] for kind in kinds if isinstance(kind, str) and kind in _STATUS_OF_TYPE), 0)
    told_as_number = (inner.get("http_status_code"), inner.get("status_code"), *kinds, said.get("status"))
    status = named or next(_statuses(told_as_number), 500)
    if status == 422 and _FULL.search(words_of(said).lower()):  # noqa: PLR2004
        status = 429  # TGI's chat stream numbers every late error 422, a full queue too (infer/mod.rs)
    return _classified(status, said, asked_wait({}, said.get("estimated_time")), "it reports an error without a word")


def second_reading(data: bytes, decoder: msgspec.json.Decoder[T], what: str) -> T:
    """What msgspec refused, read the patient way; the fast way stays fast.

    Args:
        data: The event's data, or the body.
        decoder: The one that refused it.
        what: What it should have been, for the error.

    Raises:
        HfgenError: The error that it holds, or that it is no such thing.
    """
    try:
        return msgspec.convert(without_empty_lists(patient(data)), decoder.type, strict=False)
    except MALFORMED:
        raise error_of_event(data) or unreadable(data, what) from None


def unreadable(data: bytes, what: str) -> ServerError:
    """The error for an answer that is not what it should be.

    Args:
        data: The answer.
        what: What it should have been, as in "a chat chunk".
    """
    if not data.strip():
        return ServerError(f"the server answered with an empty body in place of {what}")
    if is_page(data):
        return ServerError(
            f"the server answered with a web page (HTML) in place of {what}: {snippet(data)}",
            hint="Is api_base the address of the API? A login page of the network looks the same.",
            lasting=True,
        )
    return ServerError(f"the server's answer is not {what}: {snippet(data)}")


def _classified(status: int, said: Mapping[str, Any], wait: float | None, wordless: str) -> HfgenError:
    words = words_of(said)
    kind = _kind(status, said, words.lower())
    message = f"{_LEADS.get(kind, 'the server refused')}: {words or wordless}"
    hint = _HINT_GONE if status == 410 else _HINTS.get(kind, _HINT_UNAVAILABLE if status == 503 else "")  # noqa: PLR2004
    hint = hint or next((advice for said_so, advice in _PIPELINES_WORDS if said_so.search(words.lower())), "")
    if issubclass(kind, ResponseError):
        return kind(message, hint=hint, status=status, retry_after=wait)
    return kind(message, hint=hint)


def _kind(status: int, said: Mapping[str, Any], words: str) -> type[HfgenError]:
    inner = _dict(said.get("error"))
    code = inner.get("code") or said.get("code")
    if not _FILTERED.isdisjoint(_kinds(said, inner)):
        return ContentFiltered
    unknown = isinstance(code, str) and code in _UNKNOWN_MODEL
    if unknown or status in (404, 410) or _NO_ROUTE.search(words):
        return ModelNotSupportedError
    if status in (400, 503) and _PAUSED.search(words):
        return EndpointPaused
    if status in (401, 403):
        return MissingAuth
    if status == 402:  # noqa: PLR2004
        return PaymentRequired
    if status in (429, 529) or said.get("error_type") == "overloaded":
        return RateLimited
    if status == 503 and (said.get("estimated_time") is not None or _LOADING.search(words)):  # noqa: PLR2004
        return ModelLoading
    if status in _RETRYABLE:
        return ResponseError
    if status == 500 and _BEYOND_IT.search(words):  # noqa: PLR2004
        return BadRequest
    return ServerError if status >= 500 or status == 424 else BadRequest  # noqa: PLR2004


def _kinds(said: Mapping[str, Any], inner: Mapping[str, Any]) -> Iterator[str]:
    """Every name that an error gives to itself."""
    details: object = said.get("detail")
    places = (
        said,
        inner,
        *(_dict(item) for item in cast("list[object]", details if isinstance(details, list) else [])),
    )
    yield from (_text(place.get(key)) for place in places for key in ("code", "type", "error_type"))


def _statuses(values: tuple[object, ...]) -> Iterator[int]:
    """Those of the values that are an error's status, as a number or in digits."""
    for value in values:
        text = str(value) if isinstance(value, (int, str)) else ""
        if len(text) == 3 and text[0] in "45" and text.isascii() and text.isdigit():  # noqa: PLR2004
            yield int(text)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _dict(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
