"""An answer that is an error becomes the right error, in the server's own words."""

import json
from pathlib import Path
from typing import Any

import pytest

from hfgen.answers import error_of_answer, error_of_event
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

KIND_OF_STATUS: dict[int, type[HfgenError]] = {
    400: BadRequest,
    401: MissingAuth,
    404: ModelNotSupportedError,
    421: BadRequest,
    422: BadRequest,
    429: RateLimited,
    500: ServerError,
    503: ModelLoading,
}


def first_words(body: str) -> str:
    """The beginning of what the server said, found by hand."""
    try:
        said: Any = json.loads(body)
    except ValueError:
        return body[:40]
    for key in ("error", "message", "detail"):
        if said.get(key):
            said = said[key]
            break
    while not isinstance(said, str):
        said = said[0] if isinstance(said, list) else said.get("message") or said.get("msg")
    return " ".join(said.split())[:40]


@pytest.mark.shared
def test_every_recorded_error_has_its_class_and_the_servers_words(shared: Path) -> None:
    lines = (shared / "recordings" / "errors.jsonl").read_text().splitlines()
    assert len(lines) >= 30
    for line in lines:
        recorded = json.loads(line)
        headers = {name: values[0] for name, values in recorded["headers"].items()}
        error = error_of_answer(recorded["status"], headers, recorded["body"].encode())
        assert type(error) is KIND_OF_STATUS[recorded["status"]], recorded
        assert first_words(recorded["body"]) in str(error), (str(error), recorded["body"])
        if "x-request-id" in headers:
            assert error.request_id == headers["x-request-id"]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (402, {"error": "You have exceeded your monthly included credits"}, PaymentRequired),
        (400, {"error": "The endpoint is paused, ask a maintainer to restart it"}, EndpointPaused),
        (
            400,
            {"error": {"message": "The requested model 'X' is …", "code": "model_not_supported"}},
            ModelNotSupportedError,
        ),
        (400, {"error": "Model not supported by provider together"}, ModelNotSupportedError),
        (410, {"error": "https://api-inference.huggingface.co is no longer supported."}, ModelNotSupportedError),
        (503, {"error": "Model X is currently loading", "estimated_time": 20.0}, ModelLoading),
        (503, {"error": "unhealthy", "error_type": "healthcheck"}, ServerError),
        (424, {"error": "Request failed during generation", "error_type": "generation"}, ServerError),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, RateLimited),
        (401, "", MissingAuth),
        (403, {"message": "Forbidden"}, MissingAuth),
        (409, {"error": "busy"}, ResponseError),
        (413, "too large", BadRequest),
        (502, "<html><head><title>502 Bad\n Gateway</title></head></html>", ServerError),
    ],
)
def test_each_status_has_its_class(status: int, body: object, kind: type[HfgenError]) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = error_of_answer(status, {}, data)
    assert type(error) is kind
    assert error.message


def test_a_page_of_html_is_reduced_to_its_title() -> None:
    page = b"<html><head><title>502 Bad\n Gateway</title></head><body><script>x()</script></body></html>"
    assert str(error_of_answer(502, {}, page)) == "the server failed: 502 Bad Gateway"


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "2.5"}, b"", 2.5),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, b"", 1.5),
        ({"Retry-After": "Tue, 24 Nov 2026 10:00:30 GMT", "Date": "Tue, 24 Nov 2026 10:00:00 GMT"}, b"", 30.0),
        ({"Retry-After": "Tue, 24 Nov 2026 09:00:00 GMT", "Date": "Tue, 24 Nov 2026 10:00:00 GMT"}, b"", 0.0),
        ({"Retry-After": "soon"}, b"", None),
        ({"Retry-After": "nan"}, b"", None),
        ({"ratelimit": '"api";r=0;t=295'}, b"", 295.0),
        ({"ratelimit": '"api";r=7;t=295'}, b"", None),
        ({}, b'{"error":"x","estimated_time":20.0}', 20.0),
    ],
)
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    error = error_of_answer(429, headers, body)
    assert isinstance(error, ResponseError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b'{"error":{"message":"no","code":400}}', "", BadRequest),
        (b'{"error":"Model is overloaded","error_type":"overloaded"}', "", RateLimited),
        (b'{"error":"","error_type":"validation"}', "", BadRequest),
        (b'{"message":"it broke"}', "error", ServerError),
        (b'{"choices":[],"error":{"message":"it broke","code":502}}', "", ServerError),
        (b'{"error":{"message":"x","http_status_code":422}}', "", BadRequest),
        (b'{"object":"error","message":"no such thing"}', "", ServerError),
    ],
)
def test_an_error_inside_a_success_is_one(data: bytes, name: str, kind: type[HfgenError]) -> None:
    assert type(error_of_event(data, name=name)) is kind


def test_plain_data_is_no_error() -> None:
    assert error_of_event(b'{"choices":[{"delta":{"content":"error"}}],"error":null}') is None
    assert error_of_event(b"not json") is None


def test_a_redirect_names_where_it_leads_and_nothing_else_of_it() -> None:
    error = error_of_answer(307, {"Location": "https://evil.test/steal?t=1"}, b"", url="https://a.test/v1")
    assert "evil.test" in str(error)
    assert "steal" not in str(error)


def test_a_token_that_the_server_echoes_is_never_shown() -> None:
    body = b'{"error":{"message":"bad key: Bearer hf_abcdefghijklmnopqrstuvwx"}}'
    error = error_of_answer(401, {}, body)
    assert "abcdefgh" not in f"{error} {error!r} {error.args}"
