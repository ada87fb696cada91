"""What OpenTelemetry is told of a request, by its own SDK."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")
from opentelemetry import metrics as otel, trace
from opentelemetry.sdk import metrics
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gateway_server import events, gateway, post
from hfgen.gateway import span_names as names
from hfgen.gateway.settings import Settings
from loopback import Server, Visit, serving

pytestmark = pytest.mark.anyio
SECRET, ANSWER = "the prompt of a person", "a private answer"
EXPORTER = InMemorySpanExporter()


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """A process has one provider for good, so it is set up once, and emptied for each test."""
    monkeypatch.delenv(names.CAPTURE, raising=False)
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
        trace.set_tracer_provider(provider)
    EXPORTER.clear()
    yield EXPORTER
    EXPORTER.clear()


READER = InMemoryMetricReader(
    preferred_temporality={metrics.Histogram: AggregationTemporality.DELTA}  # so that a test sees its own alone
)


@pytest.fixture
def figures() -> InMemoryMetricReader:
    if not isinstance(otel.get_meter_provider(), metrics.MeterProvider):
        otel.set_meter_provider(metrics.MeterProvider([READER]))
    READER.get_metrics_data()
    return READER


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """The points of each histogram that has any."""
    told = reader.get_metrics_data()
    assert told is not None
    every = [metric for of in told.resource_metrics for scope in of.scope_metrics for metric in scope.metrics]
    return {metric.name: list(metric.data.data_points) for metric in every}


async def talks(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
        return
    if visit.path != "/v1/chat/completions":
        await visit.answer(b"{}", status="404 Not Found")
        return
    if json.loads(visit.body)["messages"][0]["content"] == "fail":
        await visit.answer(b'{"error":{"message":"no such thing"}}', status="400 Bad Request")
        return
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}
    choice = {"index": 0, "delta": {"content": ANSWER}, "message": {"content": ANSWER}, "finish_reason": "stop"}
    said = json.dumps({"model": "toy", "choices": [choice], "usage": usage})
    if not json.loads(visit.body).get("stream"):
        await visit.answer(said.encode())
        return
    await visit.begin_stream()
    await visit.event(said)
    await visit.end_stream()


def asked(content: str = SECRET, **more: Any) -> dict[str, Any]:
    return {"model": "toy", "messages": [{"role": "user", "content": content}], "temperature": 0.5, "seed": 7} | more


async def ask(server: Server, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    async with gateway(Settings(api_base=(server.url,))) as url:
        if body.get("stream"):
            await events(f"{url}/v1/chat/completions", body)
        else:
            await post(f"{url}/v1/chat/completions", body, headers)


def of_kind(spans: InMemorySpanExporter, kind: SpanKind) -> ReadableSpan:
    return next(span for span in spans.get_finished_spans() if span.kind is kind)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_a_span_within_that_of_its_request(stream: bool, spans: InMemorySpanExporter) -> None:
    async with serving(talks) as server:
        await ask(server, asked(stream=stream, stop=["END"], max_tokens=9))
    request, answer = of_kind(spans, SpanKind.SERVER), of_kind(spans, SpanKind.CLIENT)
    assert (request.name, answer.name) == ("POST /v1/chat/completions", "chat toy")
    assert answer.parent is not None
    assert request.context is not None
    assert answer.parent.span_id == request.context.span_id
    found = dict(answer.attributes or {})
    assert found.pop(names.FIRST_CHUNK) is not None
    assert str(found.pop("gen_ai.response.id")).startswith("chatcmpl-")
    assert found.pop("gen_ai.request.stream", False) is stream
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.output.type": "text",
        "gen_ai.request.model": "toy",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.seed": 7,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.response.model": "toy",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert (request.attributes or {})["http.response.status_code"] == 200
    assert str((request.attributes or {})["hfgen.request_id"]).startswith("req_")


async def test_each_of_n_answers_names_the_one_id_and_how_many_there_are(spans: InMemorySpanExporter) -> None:
    async with serving(talks) as server:
        await ask(server, asked(n=2, stream=True))
    answers = [dict(span.attributes or {}) for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    assert [answer["gen_ai.request.choice.count"] for answer in answers] == [2, 2]
    assert len({answer["gen_ai.response.id"] for answer in answers}) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_counted_by_the_names_of_the_conventions(
    stream: bool, figures: InMemoryMetricReader
) -> None:
    async with serving(talks) as server:
        await ask(server, asked(stream=stream))
        found = points(figures)
        where = {"server.address": "127.0.0.1", "server.port": server.port}
    common = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "toy", **where}
    common["gen_ai.response.model"] = "toy"
    assert found.keys() == {
        "gen_ai.client.operation.duration",
        "gen_ai.server.request.duration",
        "gen_ai.server.time_to_first_token",
        "gen_ai.server.time_per_output_token",
        "gen_ai.client.token.usage",
    }
    tokens = found.pop("gen_ai.client.token.usage")
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in tokens} == {"input": 5, "output": 2}
    assert all(point.explicit_bounds[:3] == (1, 4, 16) for point in tokens)
    for (point,) in found.values():
        assert dict(point.attributes) == common
        assert point.count == 1
        assert 0 <= point.sum < 30


async def test_a_failure_is_counted_as_one_and_has_no_times_of_tokens(figures: InMemoryMetricReader) -> None:
    async with serving(talks) as server:
        await ask(server, asked("fail"))
    found = points(figures)
    assert found.keys() == {"gen_ai.client.operation.duration", "gen_ai.server.request.duration"}
    assert all(point.attributes["error.type"] == "BadRequest" for (point,) in found.values())


async def test_no_text_is_in_a_span_unless_the_variable_asks_for_it(
    spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(talks) as server:
        await ask(server, asked())
        told = "".join(span.to_json() for span in spans.get_finished_spans())
        assert SECRET not in told
        assert ANSWER not in told
        spans.clear()
        monkeypatch.setenv(names.CAPTURE, "true")
        await ask(server, asked())
    found = of_kind(spans, SpanKind.CLIENT).attributes or {}
    assert json.loads(str(found[names.INPUT_MESSAGES])) == [
        {"role": "user", "parts": [{"type": "text", "content": SECRET}]}
    ]
    assert json.loads(str(found[names.OUTPUT_MESSAGES]))[0]["parts"][0]["content"] == ANSWER


async def test_a_failure_is_named_in_both_spans_as_far_as_it_is_theirs(spans: InMemorySpanExporter) -> None:
    async with serving(talks) as server:
        await ask(server, asked("fail"))
    answer = of_kind(spans, SpanKind.CLIENT)
    assert (answer.attributes or {})["error.type"] == "BadRequest"
    assert answer.status.status_code is StatusCode.ERROR
    request = of_kind(spans, SpanKind.SERVER)
    assert (request.attributes or {})["http.response.status_code"] == 400
    assert "error.type" not in (request.attributes or {})  # it was the caller's


async def test_the_span_of_a_request_lies_within_its_callers_own(spans: InMemorySpanExporter) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with serving(talks) as server:
        await ask(server, asked(), {"traceparent": parent})
    for span in spans.get_finished_spans():
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
