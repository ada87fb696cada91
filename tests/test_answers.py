"""An answer that is an error becomes the right error, in the server's own words."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from hfgen.answers import error_of_answer, error_of_event
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
from hfgen.redaction import conceal

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


@pytest.mark.shared
def test_every_recorded_error_is_told_on_one_plain_line(shared: Path) -> None:
    for line in (shared / "recordings" / "errors.jsonl").read_text().splitlines():
        recorded = json.loads(line)
        message = error_of_answer(recorded["status"], {}, recorded["body"].encode()).args[0]
        assert len(message) < 400, message
        assert message.isprintable(), message
        assert '{"' not in message, message


@pytest.mark.shared
def test_a_recorded_loading_model_says_how_long(shared: Path) -> None:
    lines = (shared / "recordings" / "errors.jsonl").read_text().splitlines()
    loading = [recorded for recorded in map(json.loads, lines) if recorded["status"] == 503]
    assert loading
    for recorded in loading:
        error = error_of_answer(503, {}, recorded["body"].encode())
        assert isinstance(error, ModelLoading)
        assert error.retry_after == json.loads(recorded["body"])["estimated_time"]


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
        (400, {"error": "response_format is not supported by provider together"}, BadRequest),
        (400, {"error": "The parameter top_k of model X is not supported by provider together"}, BadRequest),
        (400, {"error": "The requested model 'X' is not supported by any provider you have"}, ModelNotSupportedError),
        (400, {"error": "Model Qwen/Qwen2.5-72B is not supported by provider novita"}, ModelNotSupportedError),
        (400, {"error": "Not allowed to POST v1/chat/completions for provider cohere"}, ModelNotSupportedError),
        (400, {"error": {"message": "nope", "code": "model_not_found"}}, ModelNotSupportedError),
        (400, {"error": "unknown parameter: paused"}, BadRequest),
        (400, {"error": "Bad Request: Invalid state: endpoint was stopped"}, EndpointPaused),
        (529, {"error": {"message": "Overloaded", "type": "overloaded_error"}}, RateLimited),
        (400, {"detail": [{"loc": "body", "msg": "Field required"}, {"loc": 7, "msg": "odd"}]}, BadRequest),
        (410, {"error": "https://api-inference.huggingface.co is no longer supported."}, ModelNotSupportedError),
        (503, {"error": "Model X is currently loading", "estimated_time": 20.0}, ModelLoading),
        (503, {"error": "unhealthy", "error_type": "healthcheck"}, ServerError),
        (424, {"error": "Request failed during generation", "error_type": "generation"}, ServerError),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, RateLimited),
        (500, {"error": {"message": "image input is not supported - hint: …", "type": "server_error"}}, BadRequest),
        (500, {"error": {"message": "Failed to parse tools: Missing tool function", "code": 500}}, BadRequest),
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


@pytest.mark.parametrize("estimate", ["Infinity", "NaN", "-3", "1e400", "true", '"soon"', "[1]"])
def test_an_estimate_that_is_no_length_of_time_is_none(estimate: str) -> None:
    error = error_of_answer(503, {}, b'{"error":"loading","estimated_time":%b}' % estimate.encode())
    assert isinstance(error, ModelLoading)
    assert error.retry_after is None


def test_a_date_to_wait_for_is_measured_by_our_clock_where_the_server_tells_none_of_its_own() -> None:
    error = error_of_answer(429, {"Retry-After": "Tue, 24 Nov 2099 10:00:30 GMT"}, b"")
    assert isinstance(error, ResponseError)
    assert (error.retry_after or 0) > 3600


@pytest.mark.parametrize(
    ("data", "name", "kind", "words"),
    [
        (b'{"error":{"message":"no","code":400}}', "", BadRequest, "no"),
        (b'{"error":{"message":"slow down","code":"429"}}', "", RateLimited, "slow down"),
        (b'{"error":{"message":"slow down","type":"x","status_code":429}}', "", RateLimited, "slow down"),
        (b'{"error":"Model is overloaded","error_type":"overloaded"}', "", RateLimited, "Model is overloaded"),
        (
            b'{"error":{"message":"Model is overloaded","http_status_code":422}}',
            "",
            RateLimited,
            "Model is overloaded",
        ),
        (b'{"error":{"message":"full","type":"overloaded"}}', "", RateLimited, "full"),
        (b'{"error":"","error_type":"validation"}', "", BadRequest, "validation"),
        (b'{"error":{}}', "", ServerError, "without a word"),
        (b'{"error":{"code":503}}', "", ServerError, "without a word"),
        (b'{"error":{"type":"server_error"}}', "", ServerError, "server_error"),
        (b'{"message":"it broke"}', "error", ServerError, "it broke"),
        (b"upstream died", "error", ServerError, "upstream died"),
        (b"", "error", ServerError, "without a word"),
        (b'{"choices":[],"error":{"message":"it broke","code":502}}', "", ServerError, "it broke"),
        (b'{"error":{"message":"x y","http_status_code":422}}', "", BadRequest, "x y"),
        (b'{"object":"error","message":"no such thing"}', "", ServerError, "no such thing"),
        (b'error: {"code":400,"message":"too long","type":"invalid_request_error"}', "", BadRequest, "too long"),
        (
            b'{"error":{"message":"no","type":"invalid_request_error","code":"content_filter"}}',
            "",
            ContentFiltered,
            "no",
        ),
        (b'{"error":{"message":"half \\ud83d"}}', "", ServerError, "half"),
    ],
)
def test_an_error_inside_a_success_is_one(data: bytes, name: str, kind: type[HfgenError], words: str) -> None:
    error = error_of_event(data, name=name)
    assert type(error) is kind
    assert words in str(error)
    str(error).encode()


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices":[{"delta":{"content":"error"}}],"error":null}',
        b'{"choices":[{"delta":{"content":"{\\"error\\":{\\"message\\":\\"x\\"}}"}}]}',
        b'{"token":{"text":"event: error"},"error":""}',
        b"not json",
        b'"error"',
        b'["error"]',
    ],
)
def test_plain_data_is_no_error_whatever_words_are_in_it(data: bytes) -> None:
    assert error_of_event(data) is None


@pytest.mark.parametrize(
    "body",
    [
        b"<title>" * 9362,
        b"<" * 65536,
        b"<h1" * 20000,
        b"<a" * 32768 + b"</",
        b"[" * 65536,
        b'{"error":' * 7000,
        b'{"detail":[' + b'{"msg":[],"loc":[]},' * 3000 + b"0]}",
        b'{"error":[' + b'"x",' * 16000 + b'"x"]}',
        b"bearer " * 9000,
        b"://" * 20000 + b"a:b",
        b"cookie:" * 9000,
    ],
    ids=lambda body: body[:12].decode(),
)
def test_a_hostile_body_takes_no_longer_than_its_size(body: bytes) -> None:
    start = time.process_time()
    assert isinstance(error_of_answer(500, {}, body), ServerError)
    error_of_event(body, name="error")
    assert time.process_time() - start < 0.5


def test_a_redirect_to_what_is_no_address_is_told_as_one() -> None:
    assert "nowhere" in str(error_of_answer(302, {"Location": "http://[::1"}, b"", url="http://[bad"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><head><title>Blocked</title></head></html>", "Blocked"),
        (b"<html><body><h1>Not <b>here</b></h1></body></html>", "Not here"),
        (b"<html><script>alert(1)</script></html>", "a web page without a title"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
        (b'{"error":"<html><title>Bad gateway</title><p>x</p></html>"}', "Bad gateway"),
        (b'{"error":"expected <eos> before 3 < 4"}', "expected <eos> before 3 < 4"),
        (b'{"message":["width must be a number","height too"],"error":"Bad Request"}', "width must be a number"),
        (b'{"error":"a\\u001b]0;owned\\u0007b\\u202ec"}', "a]0;ownedbc"),
    ],
)
def test_what_a_server_says_is_told_without_markup_and_control_characters(body: bytes, said: str) -> None:
    message = error_of_answer(500, {}, body).message
    assert said in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, "{}", "settings/tokens"),
        (402, "{}", "settings/billing"),
        (404, "{}", "models show"),
        (410, "{}", "router.huggingface.co"),
        (429, "{}", "another provider"),
        (503, "{}", "another server"),
        (503, '{"error":"loading","estimated_time":3}', "total_timeout"),
        (400, '{"error":"The endpoint is paused, ask a maintainer to restart it"}', "endpoints.huggingface.co"),
        (400, '{"error":{"message":"no","code":"model_not_supported"}}', "settings/inference-providers"),
    ],
)
def test_each_error_that_a_person_can_do_something_about_says_what(status: int, body: str, advice: str) -> None:
    assert advice in error_of_answer(status, {}, body.encode()).hint


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("Provided `height=256` and `width=128`, but either both must have a value or both must be None.", "squares"),
        ("FluxPipeline.__call__() got an unexpected keyword argument 'max_new_tokens'", "width="),
    ],
)
def test_what_a_pipeline_says_in_its_own_terms_is_explained(words: str, advice: str) -> None:
    error = error_of_answer(400, {}, json.dumps({"error": words}).encode())
    assert isinstance(error, BadRequest)
    assert words in error.message
    assert advice in error.hint


def test_the_servers_own_id_of_the_request_is_told_and_bounded() -> None:
    assert error_of_answer(500, {"X-Request-Id": "r-1"}, b"").request_id == "r-1"
    assert error_of_answer(500, {}, b'{"message":"x","request_id":"r-2"}').request_id == "r-2"
    assert len(error_of_answer(500, {"CF-Ray": "r" * 5000}, b"").request_id) == 128


def test_a_redirect_names_where_it_leads_and_nothing_else_of_it() -> None:
    error = error_of_answer(307, {"Location": "https://evil.test/steal?t=1"}, b"", url="https://a.test/v1")
    assert "evil.test" in str(error)
    assert "steal" not in str(error)


def test_a_token_that_the_server_echoes_is_never_shown() -> None:
    body = b'{"error":{"message":"bad key: Bearer hf_abcdefghijklmnopqrstuvwx"}}'
    error = error_of_answer(401, {}, body)
    assert "abcdefgh" not in f"{error} {error!r} {error.args}"


def test_a_token_on_the_edge_of_what_is_shown_is_not_shown_in_part() -> None:
    token = "s3cr3t-" + "abcdefgh" * 4
    conceal(token)
    for lead in range(250, 300):
        error = error_of_answer(401, {}, json.dumps({"error": "x" * lead + " " + token}).encode())
        assert "s3cr3t" not in str(error)
