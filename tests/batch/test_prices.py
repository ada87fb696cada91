"""What a job costs, by the prices that the router tells and by who has answered: exact, a range, or not known."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from answering_model import AnsweringModel
from batch_jobs import finished, row
from hfgen import UsageError
from hfgen.batch import JobStopped, Result, Tally, run
from hfgen.batch.pacing.spending import Cost
from loopback import Server, serving

TOKEN = "hf_a_token_for_tests_only"
PROVIDERS = {name: {"status": "live", "providerId": "b", "task": "conversational"} for name in ("dear", "cheap")}
RECORD = {"id": "a/b", "pipeline_tag": "text-generation", "config": {}, "inferenceProviderMapping": PROVIDERS}
OFFERS = [
    {"provider": "cheap", "status": "live", "pricing": {"input": 1.0, "output": 2.0}},
    {"provider": "dear", "status": "live", "pricing": {"input": 3.0, "output": 6.0}},
]


def router(offers: list[dict[str, Any]] | None = None, tells: str = "") -> AnsweringModel:
    """The Hub and its router in one: it serves `a/b`, and names who answered where `tells` is given."""
    listing = {"data": [{"id": "a/b", "providers": OFFERS if offers is None else offers}]}
    pages = {"/api/models/a/b": json.dumps(RECORD).encode(), "/v1/models": json.dumps(listing).encode()}
    return AnsweringModel(pages=pages, heads=lambda _: f"X-Inference-Provider: {tells}\r\n" if tells else "")


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)


async def serve(model: AnsweringModel, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    async with serving(model) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", server.url)
        yield server


async def ask(monkeypatch: pytest.MonkeyPatch, server: AnsweringModel, *prompts: str, **how: Any) -> list[Result]:
    found: list[Result] = []
    async for _ in serve(server, monkeypatch):
        found = [result async for result in run(list(prompts), **{"model": "a/b", **how})]
    return found


def price(result: Result, asks: float, answers: float) -> float:
    account = result.hfgen
    return (account.prompt_tokens * asks + account.completion_tokens * answers) / 1e6


@pytest.mark.parametrize(("tells", "asks", "answers"), [("cheap", 1.0, 2.0), ("dear", 3.0, 6.0)])
async def test_who_answered_by_the_routers_header_is_who_is_paid(
    monkeypatch: pytest.MonkeyPatch, tells: str, asks: float, answers: float
) -> None:
    tally = Tally()
    (result,) = await ask(monkeypatch, router(tells=tells), "hello", tally=tally)
    exact = price(result, asks, answers)
    assert result.hfgen.cost == pytest.approx(exact)
    assert result.hfgen.costs is None
    assert tally.standing().spent == pytest.approx(Cost(exact, exact))


@pytest.mark.parametrize("how", [{"model": "a/b:dear"}, {"provider": "dear"}])
async def test_a_provider_that_the_caller_names_is_who_is_paid(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, str]
) -> None:
    (result,) = await ask(monkeypatch, router(), "hello", **how)
    assert result.hfgen.cost == pytest.approx(price(result, 3.0, 6.0))


async def test_where_nobody_tells_who_answered_the_cost_is_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally()
    (result,) = await ask(monkeypatch, router(), "hello", tally=tally)
    assert result.hfgen.cost is None
    assert result.hfgen.costs == pytest.approx((price(result, 1.0, 2.0), price(result, 3.0, 6.0)))
    assert tally.standing().spent == pytest.approx(Cost(*result.hfgen.costs or ()))


async def test_a_price_that_the_router_does_not_tell_is_not_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally()
    (result,) = await ask(monkeypatch, router(offers=[{"provider": "dear"}]), "hello", tally=tally)
    assert (result.hfgen.cost, result.hfgen.costs, tally.standing().spent) == (None, None, None)


async def test_the_limit_of_cost_is_kept_by_the_highest_price(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tally = router(), Tally()
    with pytest.raises(JobStopped, match="cost"):
        await ask(monkeypatch, model, *map(str, range(500)), max_tokens=20, max_cost=0.01, tally=tally)
    spent = tally.standing().spent
    assert spent is not None
    assert 0.005 < spent.high <= 0.01
    assert 0 < model.asked.total() < 500


@pytest.mark.parametrize("offers", [[], [{"provider": "dear"}]])
async def test_a_limit_of_cost_without_a_price_is_refused_before_anything_is_paid(
    monkeypatch: pytest.MonkeyPatch, offers: list[dict[str, Any]]
) -> None:
    model = router(offers=offers)
    with pytest.raises(UsageError, match="the price of a/b is not known"):
        await ask(monkeypatch, model, "hello", max_cost=1.0)
    assert not model.asked


async def test_a_row_that_is_refused_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = router()
    model.faults["bad"] = [400]
    (result,) = await ask(monkeypatch, model, "bad", max_cost=1.0)
    assert (result.ok, result.hfgen.cost) == (False, 0.0)


async def test_a_router_that_tells_no_prices_stops_no_job_that_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    model = router()
    model.pages["/v1/models"] = b"[]"
    (result,) = await ask(monkeypatch, model, "hello")
    assert result.ok
    assert result.hfgen.cost is None


@pytest.mark.parametrize("how", [{"api_base": "http://127.0.0.1:9"}, {"model": "local"}])
def test_a_server_without_prices_takes_no_limit_of_cost(how: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is not known"):
        run(["hello"], max_cost=1.0, **how)


async def test_rows_name_their_own_models_and_pay_their_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    async for server in serve(router(tells="cheap"), monkeypatch):
        results = run([row("x", "hello", model="a/b")], api_base=server.url, api_key=TOKEN, max_cost=1.0)
        (result,) = [result async for result in results]
        assert result.hfgen.cost == pytest.approx(price(result, 1.0, 2.0))
        assert await finished(["hello"], model="a/b") == ["row-1"]
