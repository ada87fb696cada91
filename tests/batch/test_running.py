"""`run()` against a real server: every row ends in exactly one result, and what it says is true."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from answering_model import MODELS, AnsweringModel, answer_to, answering, never
from hfgen import MissingAuth, PaymentRequired, Session, UsageError
from hfgen.batch import Job, JobStopped, Result, Tally, run
from hfgen.batch.bad_row import BadRow
from hfgen.batch.journal.status import read as read_status
from hfgen.batch.pacing.spending import Prices
from hfgen.hub.offers import Offer, Pricing
from loopback import Visit, serving


def body_of(result: Result) -> dict[str, Any]:
    assert result.response is not None
    body: dict[str, Any] = json.loads(bytes(result.response.body))
    return body


def text_of(result: Result) -> str:
    text: str = body_of(result)["choices"][0]["message"]["content"]
    return text


async def every(results: AsyncIterator[Result]) -> dict[str, Result]:
    """By name; a name that comes twice is an error."""
    found: dict[str, Result] = {}
    async for result in results:
        assert result.custom_id not in found
        found[result.custom_id] = result
    return found


async def test_every_prompt_has_its_own_answer() -> None:
    async with answering(AnsweringModel()) as server:
        found = await every(run([f"question {n}" for n in range(200)], api_base=server.url))

    assert {name: text_of(result) for name, result in found.items()} == {
        f"row-{n + 1}": answer_to(f"question {n}") for n in range(200)
    }


async def test_jobs_are_prompts_conversations_requests_and_jobs_from_any_iterable() -> None:
    given: list[Any] = [
        "a prompt",
        [{"role": "system", "content": "Be short."}, {"role": "user", "content": "a conversation"}],
        {"custom_id": "mine", "body": {"messages": [{"role": "user", "content": "a request"}]}},
        Job.of("whole", "/v1/chat/completions", b'{"messages":[{"role":"user","content":"a job"}]}', 4),
    ]

    async def one_by_one() -> AsyncIterator[Any]:
        for each in given:
            yield each

    async with answering(AnsweringModel()) as server:
        several: list[Any] = [given, iter(given), one_by_one()]
        for jobs in several:
            found = await every(run(jobs, api_base=server.url))
            assert {name: text_of(result) for name, result in found.items()} == {
                "row-1": answer_to("a prompt"),
                "row-2": answer_to("a conversation"),
                "mine": answer_to("a request"),
                "whole": answer_to("a job"),
            }


async def test_a_result_tells_who_answered_how_quickly_and_at_what_price() -> None:
    async with answering(AnsweringModel()) as server:
        (result,) = (await every(run(["hello"], api_base=server.url))).values()

    account = result.hfgen
    assert (account.attempts, account.row, account.resumed) == (1, 1, 0)
    assert server.url in account.server
    assert account.prompt_tokens == 5
    assert account.completion_tokens > 0
    assert account.first_token is not None
    assert 0 < account.first_token <= account.seconds
    assert account.cost is None
    assert body_of(result)["model"] == "m"
    assert body_of(result)["usage"]["prompt_tokens"] == 5


async def test_what_a_row_says_goes_before_what_the_batch_says() -> None:
    model = AnsweringModel()
    rows: list[Any] = [
        {"body": {"messages": [{"role": "user", "content": "plain"}]}},
        {"body": {"messages": [{"role": "user", "content": "own"}], "max_tokens": 7, "temperature": None, "seed": 3}},
    ]
    async with answering(model) as server:
        await every(run(rows, api_base=server.url, max_tokens=50, temperature=0.5, seed=1, top_p=0.9))

    sent = {each["messages"][-1]["content"]: each for each in model.bodies}
    assert {name: sent["plain"][name] for name in ("max_tokens", "temperature", "seed", "top_p")} == {
        "max_tokens": 50,
        "temperature": 0.5,
        "seed": 1,
        "top_p": 0.9,
    }
    assert {name: sent["own"][name] for name in ("max_tokens", "temperature", "seed")} == {
        "max_tokens": 7,
        "temperature": 0.5,
        "seed": 3,
    }


async def test_several_answers_to_a_row_are_asked_for_side_by_side_with_seeds_of_their_own() -> None:
    model = AnsweringModel()
    row = {"body": {"messages": [{"role": "user", "content": "thrice"}], "n": 3, "seed": 10}}
    async with answering(model) as server:
        (result,) = (await every(run([row], api_base=server.url))).values()

    assert [choice["index"] for choice in body_of(result)["choices"]] == [0, 1, 2]
    assert sorted(each["seed"] for each in model.bodies) == [10, 11, 12]
    assert result.hfgen.attempts == 3


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_a_refusal_is_the_result_of_its_row_alone(status: int) -> None:
    model = AnsweringModel(faults={"bad": [status] * 9})
    async with answering(model) as server:
        found = await every(run(["good", "bad", "fine"], api_base=server.url))

    refused = found["row-2"]
    assert not refused.ok
    assert refused.error is None
    assert refused.response is not None
    assert refused.response.status_code == status
    assert f"{status} for bad" in body_of(refused)["error"]["message"]
    assert refused.hfgen.attempts == 1
    assert model.asked["bad"] == 1
    assert found["row-1"].ok
    assert found["row-3"].ok


async def test_a_row_that_is_no_request_is_refused_before_anyone_is_asked() -> None:
    model = AnsweringModel()
    rows: list[Any] = [{"body": {}}, {"body": {"messages": []}}, "good", {"body": {"messages": [{"role": "nobody"}]}}]
    async with answering(model) as server:
        found = await every(run(rows, api_base=server.url))

    statuses = {name: result.response.status_code for name, result in found.items() if result.response}
    assert statuses == {"row-1": 400, "row-2": 400, "row-3": 200, "row-4": 400}
    assert sum(model.asked.values()) == 1


@pytest.mark.parametrize("fault", [429, 500, 503, "cut"])
async def test_what_passes_is_asked_again_and_both_attempts_are_told(fault: int | str) -> None:
    model = AnsweringModel(faults={"twice": [fault]})
    async with answering(model) as server:
        (result,) = (await every(run(["twice"], api_base=server.url))).values()

    assert text_of(result) == answer_to("twice")
    assert result.hfgen.attempts == 2
    assert model.asked["twice"] == 2


async def test_a_row_that_poisons_its_server_is_recorded_with_its_error_and_the_rest_is_answered() -> None:
    model = AnsweringModel(faults={"poison": [500] * 99})
    async with answering(model) as server:
        found = await every(run(["one", "poison", "two"], api_base=server.url))

    poison = found["row-2"]
    assert poison.response is None
    assert poison.error is not None
    assert poison.error.code == "server_error"
    assert "500 for poison" in poison.error.message
    assert poison.hfgen.attempts == model.asked["poison"] > 1
    assert found["row-1"].ok
    assert found["row-3"].ok


async def test_a_stream_that_is_always_cut_ends_as_an_error_with_its_text() -> None:
    model = AnsweringModel(faults={"cut": ["cut"] * 99})
    async with answering(model) as server:
        (result,) = (await every(run(["cut"], api_base=server.url))).values()

    assert result.error is not None
    assert result.error.code == "truncated_stream"
    assert answer_to("cut").startswith(result.hfgen.partial)
    assert result.hfgen.partial


async def test_a_row_has_a_deadline_over_all_its_attempts() -> None:
    async with answering(AnsweringModel(hold=never)) as server:
        (result,) = (await every(run(["slow"], api_base=server.url, row_timeout=0.3))).values()

    assert result.error is not None
    assert result.error.code == "timed_out"
    assert 0.3 <= result.hfgen.seconds < 5


@pytest.mark.parametrize(("status", "error"), [(401, MissingAuth), (402, PaymentRequired)])
async def test_a_job_that_nobody_will_answer_stops_once_what_is_under_way_has_ended(
    status: int, error: type[Exception]
) -> None:
    let_go = asyncio.Event()

    async def hold(prompt: str) -> None:
        if prompt == "slow":
            await let_go.wait()
        elif prompt == "locked":
            let_go.set()

    model = AnsweringModel(faults={"locked": [status]}, hold=hold)
    prompts = ["slow", "locked", *(f"later {n}" for n in range(500))]
    found: list[str] = []
    async with answering(model) as server:
        with pytest.raises(error):
            async for result in run(prompts, api_base=server.url, concurrency=2):
                assert result.ok
                found.append(result.custom_id)

    assert "row-1" in found
    assert "row-2" not in found
    assert len(found) < 100


async def test_leaving_early_ends_every_request_at_once() -> None:
    async def hold(prompt: str) -> None:
        if prompt != "quick":
            await never(prompt)

    model = AnsweringModel(hold=hold)
    async with answering(model) as server:
        results = run(["quick", *(f"slow {n}" for n in range(9))], api_base=server.url)
        first = await anext(results)
        async with asyncio.timeout(5):
            await results.aclose()

        assert first.custom_id == "row-1"
        assert [task for task in asyncio.all_tasks() if "hfgen/batch" in repr(task)] == []


async def test_no_more_rows_are_asked_at_once_than_allowed_and_few_are_read_ahead() -> None:
    read = Counter[str]()

    def prompts() -> Any:
        for n in range(5000):
            read["rows"] += 1
            yield f"row {n}"

    model = AnsweringModel()
    async with answering(model) as server:
        results = run(prompts(), api_base=server.url, concurrency=4)
        for _ in range(3):
            await anext(results)
        await results.aclose()

    assert model.most_at_once <= 4
    assert read["rows"] < 1000


async def test_max_errors_stops_the_job_and_says_so() -> None:
    rows = [f"bad {n}" for n in range(300)]
    model = AnsweringModel(faults={row: [400] for row in rows})
    tally = Tally()
    async with answering(model) as server:
        with pytest.raises(JobStopped) as stopped:
            async for _ in run(rows, api_base=server.url, max_errors=5, concurrency=2, tally=tally):
                pass

    assert stopped.value.reason == "errors"
    assert 5 < tally.failed < 100


async def test_a_deadline_ends_the_job_after_what_is_under_way() -> None:
    let_go = asyncio.Event()

    async def hold(_: str) -> None:
        asyncio.get_running_loop().call_later(0.3, let_go.set)
        await let_go.wait()

    async with answering(AnsweringModel(hold=hold)) as server:
        found = []
        with pytest.raises(JobStopped) as stopped:
            async for result in run(["one", "two", "three", "four"], api_base=server.url, concurrency=2, deadline=0.1):
                found.append(result)

    assert stopped.value.reason == "deadline"
    assert len(found) == 2


def test_a_limit_of_cost_that_cannot_be_kept_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match=r"price of .* is not known"):
        run(["one", "two"], api_base="http://127.0.0.1:9", max_cost=1.0)


async def test_a_row_of_unknown_price_stops_a_job_with_a_limit_of_cost() -> None:
    prices = {"m": Prices([Offer("me", pricing=Pricing(1.0, 1.0))])}
    rows: list[Any] = [{"body": {"model": name, "messages": [{"role": "user", "content": "?"}]}} for name in ("m", "x")]
    async with answering(AnsweringModel()) as server:
        with pytest.raises(JobStopped, match=r"the price of x is not known") as stopped:
            async for _ in run(rows, api_base=server.url, max_cost=1.0, prices=prices):
                pass

    assert stopped.value.reason == "cost"


async def test_input_that_breaks_is_told_after_the_answers_that_were_under_way() -> None:
    def prompts() -> Any:
        yield "one"
        yield "two"
        raise UsageError("line 3 is no JSON")

    found = []
    async with answering(AnsweringModel()) as server:
        with pytest.raises(UsageError, match="line 3"):
            async for result in run(prompts(), api_base=server.url):
                found.append(result)

    assert len(found) <= 2


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1}, {"api_base": "not an address"}, {"max_errors": "many"}, {"deadline": 0}, {"temperament": 1}],
)
async def test_what_is_wrong_for_every_row_is_told_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        run(["one"], **wrong)


async def test_a_row_names_no_file_of_this_machine_as_its_model() -> None:
    model = AnsweringModel()
    row = {"body": {"messages": [{"role": "user", "content": "hi"}], "model": "/etc/passwd"}}
    async with answering(model) as server:
        (result,) = (await every(run([row], api_base=server.url))).values()

    assert result.response is not None
    assert result.response.status_code == 400
    assert not model.asked


async def test_bad_rows_of_an_input_are_results_too_however_many_they_are() -> None:
    rows: list[Any] = [BadRow.of(f"bad {n}", b"raw", n, f"row {n}: no prompt") for n in range(500)]
    async with answering(AnsweringModel()) as server:
        found = await every(run([*rows, "good"], api_base=server.url))

    assert found["row-501"].ok
    assert len(found) == 501
    bad = found["bad 7"]
    assert bad.error is not None
    assert (bad.error.code, bad.error.message) == ("invalid_row", "row 7: no prompt")
    assert bad.hfgen.attempts == 0


async def test_raw_prompts_are_completed_prompt_after_prompt() -> None:
    rows: list[Any] = [{"url": "/v1/completions", "body": {"prompt": ["One", "Two"], "n": 2, "max_tokens": 9}}]
    bodies: list[dict[str, Any]] = []

    async def talk(visit: Visit) -> None:
        if not visit.path.endswith("/v1/completions"):
            await visit.answer(MODELS, status="200 OK" if visit.path == "/v1/models" else "404 Not Found")
            return
        body = json.loads(visit.body)
        bodies.append(body)
        await visit.begin_stream()
        await visit.event(
            json.dumps({"choices": [{"index": 0, "text": f"{body['prompt']}!", "finish_reason": "stop"}]})
        )
        await visit.event("[DONE]")
        await visit.end_stream()

    async with serving(talk) as server:
        (result,) = (await every(run(rows, api_base=server.url))).values()

    assert body_of(result)["object"] == "text_completion"
    assert [choice["text"] for choice in body_of(result)["choices"]] == ["One!", "One!", "Two!", "Two!"]
    assert {body["max_tokens"] for body in bodies} == {9}


async def test_a_repeat_has_the_name_of_its_row_and_every_other_question_another() -> None:
    model = AnsweringModel(faults={"one": [500]})
    rows: list[Any] = [
        "one",
        "two",
        {"custom_id": "drei ✓", "body": {"messages": [{"role": "user", "content": "3"}], "n": 2}},
    ]
    async with answering(model) as server:
        await every(run(rows, api_base=server.url, concurrency=1))

    keys: dict[str, list[str]] = {}
    for body, headers in zip(model.bodies, model.headers, strict=True):
        keys.setdefault(body["messages"][-1]["content"], []).append(headers["idempotency-key"])
    assert keys["one"][0] == keys["one"][1]
    assert "/row-1/" in keys["one"][0]
    assert len({key for several in keys.values() for key in several}) == 4


async def test_an_edited_row_has_another_name_than_before(tmp_path: Path) -> None:
    model, out = AnsweringModel(), tmp_path / "out.jsonl"
    async with answering(model) as server:
        for rows in (["one", "two"], ["one", "2"]):
            await every(run(rows, out=out, api_base=server.url, notice=lambda _: None))

    assert sorted(model.asked) == ["2", "one", "two"]
    assert len({headers["idempotency-key"] for headers in model.headers}) == 3


async def test_the_limits_that_a_server_tells_in_its_headers_are_kept() -> None:
    async def talk(visit: Visit) -> None:
        if not visit.path.endswith("/chat/completions"):
            await visit.answer(MODELS, status="200 OK" if visit.path == "/v1/models" else "404 Not Found")
            return
        times.append(asyncio.get_running_loop().time())
        said = {"choices": [{"index": 0, "message": {"content": "yes"}, "finish_reason": "stop"}]}
        more = (
            "x-ratelimit-limit-requests: 2\r\nx-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 1s\r\n"
        )
        await visit.answer(json.dumps(said).encode(), more=more)

    times: list[float] = []
    async with serving(talk) as server:
        found = await every(run(["one", "two"], api_base=server.url, model="m", concurrency=1))

    assert all(result.ok for result in found.values())
    assert times[1] - times[0] > 0.5


async def test_limits_in_headers_are_heard_on_a_callers_own_session_and_only_of_the_jobs_own_requests() -> None:
    waits = "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 600s\r\n"
    limited, free = AnsweringModel(heads=lambda _: waits), AnsweringModel()
    async with answering(limited) as server, answering(free) as other, Session() as session:
        stopped = every(run(["one", "two"], api_base=server.url, session=session, concurrency=1, deadline=1.0))
        going_on = every(run([str(n) for n in range(20)], api_base=other.url, session=session, concurrency=1))
        ended, found = await asyncio.gather(stopped, going_on, return_exceptions=True)

    assert isinstance(ended, JobStopped)
    assert limited.asked.total() == 1
    assert not isinstance(found, BaseException)
    assert len(found) == 20


async def test_the_job_tells_how_many_rows_may_be_asked_at_once(tmp_path: Path) -> None:
    gate, tally = asyncio.Event(), Tally()

    async def hold(_: str) -> None:
        gate.set()
        await asyncio.Event().wait()

    async with answering(AnsweringModel(hold=hold)) as server:
        asking = asyncio.create_task(
            every(run(["one", "two"], out=tmp_path / "out", api_base=server.url, concurrency=7, tally=tally))
        )
        await gate.wait()
        assert tally.standing().slots == 7
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    status = await asyncio.to_thread(read_status, tmp_path / "out")
    assert status is not None
    assert status.concurrency == 7


def test_a_session_has_its_proxy_already() -> None:
    with pytest.raises(UsageError, match="proxy"):
        run(["one"], session=Session(), proxy="http://127.0.0.1:9")
