"""`/v1/files` and `/v1/batches`: many requests in a file, answered whatever happens to the gateway meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from command_line import Talker
from gateway_server import gateway
from hfgen.gateway.file_store import FileStore
from hfgen.gateway.settings import Limits, Settings
from loopback import Visit, serving
from pictures import png

CHAT = "/v1/chat/completions"
_OVER = {"completed", "failed", "expired", "cancelled"}


def line(name: str, *, url: str = CHAT, **body: Any) -> str:
    asked = body or {"messages": [{"role": "user", "content": f"say {name}"}]}
    return json.dumps({"custom_id": name, "method": "POST", "url": url, "body": asked})


class Caller:
    """Calls the routes as OpenAI's client does."""

    def __init__(self, client: aiohttp.ClientSession, url: str, key: str = "") -> None:
        self.client = client
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def upload(self, *lines: str, purpose: str = "batch") -> tuple[int, Any]:
        form = aiohttp.FormData({"purpose": purpose})
        form.add_field("file", "\n".join(lines).encode(), filename="in put.jsonl")
        async with self.client.post(f"{self.url}/v1/files", data=form, headers=self.headers) as answer:
            return answer.status, await answer.json()

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {**self.headers, "Content-Type": "application/json"}
        data = b"" if body is None else json.dumps(body).encode()
        async with self.client.request(method, self.url + path, data=data, headers=headers) as answer:
            return answer.status, json.loads(await answer.read())

    async def begin(self, *lines: str, endpoint: str = CHAT) -> Any:
        _, file = await self.upload(*lines)
        status, batch = await self.call("POST", "/v1/batches", {"input_file_id": file["id"], "endpoint": endpoint})
        assert status == 200, batch
        return batch

    async def until(self, batch: Any, wanted: Callable[[Any], bool] = lambda batch: batch["status"] in _OVER) -> Any:
        async with asyncio.timeout(60):
            while True:
                _, batch = await self.call("GET", f"/v1/batches/{batch['id']}")
                if wanted(batch):
                    return batch
                await asyncio.sleep(0.05)  # as its caller would: a batch is asked how it stands

    async def lines(self, file_id: str | None) -> list[Any]:
        if file_id is None:
            return []
        async with self.client.get(f"{self.url}/v1/files/{file_id}/content", headers=self.headers) as answer:
            return [json.loads(each) for each in (await answer.text()).splitlines()]


@asynccontextmanager
async def called(
    folder: Path, answers: Callable[[Visit], Awaitable[None]], key: str = "", path: str = "", **more: Any
) -> AsyncIterator[Caller]:
    async with (
        serving(answers) as server,
        gateway(Settings(api_base=(server.url + path,), batches=folder, **more)) as url,
        aiohttp.ClientSession() as client,
    ):
        yield Caller(client, url, key)


async def test_every_row_of_a_file_is_answered_in_another_file(tmp_path: Path) -> None:
    talker = Talker("fine")
    async with called(tmp_path, talker) as caller:
        begun = await caller.begin(line("a"), line("b"), line("c"))
        assert begun["status"] == "validating"
        batch = await caller.until(begun)
        output = await caller.lines(batch["output_file_id"])
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert batch["error_file_id"] is None
    assert {row["custom_id"] for row in output} == {"a", "b", "c"}
    assert {row["response"]["body"]["choices"][0]["message"]["content"] for row in output} == {"fine"}
    assert all(row["error"] is None and "hfgen" not in row for row in output)
    assert len(talker.asked) == 3


async def test_a_batch_tells_its_model_and_the_tokens_of_all_its_answers(tmp_path: Path) -> None:
    async def counts(visit: Visit) -> None:
        if visit.method == "GET":
            await Talker("fine")(visit)
            return
        name = json.loads(visit.body)["model"]
        await visit.answer(
            json.dumps(
                {
                    "model": name,
                    "choices": [{"index": 0, "message": {"content": "fine"}, "finish_reason": "stop"}],
                    "usage": {
                        "prompt_tokens": 5,
                        "completion_tokens": 7,
                        "prompt_tokens_details": {"cached_tokens": 2},
                        "completion_tokens_details": {"reasoning_tokens": 3},
                    },
                }
            ).encode()
        )

    def asks(name: str, model: str) -> str:
        return line(name, model=model, messages=[{"role": "user", "content": "?"}])

    async with called(tmp_path, counts) as caller:
        begun = await caller.begin(asks("a", "one"), asks("b", "one"))
        assert (begun["model"], begun["usage"]) == (None, None)
        of_one = await caller.until(begun)
        of_two = await caller.until(await caller.begin(asks("a", "one"), asks("b", "two")))
    assert (of_one["model"], of_two["model"]) == ("one", None)
    assert of_one["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 14,
        "output_tokens_details": {"reasoning_tokens": 6},
        "total_tokens": 24,
    }


async def test_rows_that_fail_are_in_a_file_of_their_own(tmp_path: Path) -> None:
    async def picky(visit: Visit) -> None:
        if b"say b" in visit.body:
            await visit.answer(b'{"error":{"message":"no"}}', status="400 Bad Request")
        else:
            await Talker("fine")(visit)

    async with called(tmp_path, picky) as caller:
        batch = await caller.until(await caller.begin(line("a"), line("b")))
        (failed,) = await caller.lines(batch["error_file_id"])
    assert (batch["status"], batch["request_counts"]["failed"]) == ("completed", 1)
    assert (failed["custom_id"], failed["response"]["status_code"]) == ("b", 400)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((line("a"), "{"), "invalid_row"),
        ((line("a"), line("a")), "duplicate_custom_id"),
        ((line("a"), line("b", url="/v1/completions", prompt="x")), "mismatched_endpoint"),
        (("",), "invalid_file"),
    ],
)
async def test_what_is_wrong_with_a_file_is_told_by_its_line_before_anything_is_asked(
    tmp_path: Path, lines: tuple[str, ...], code: str
) -> None:
    talker = Talker("fine")
    async with called(tmp_path, talker) as caller:
        batch = await caller.until(await caller.begin(*lines))
    assert batch["status"] == "failed"
    (fault,) = batch["errors"]["data"]
    assert fault["code"] == code
    assert not talker.asked


async def test_pictures_stand_in_the_lines(tmp_path: Path) -> None:
    async def paints(visit: Visit) -> None:
        if visit.method == "POST":
            await visit.answer(png(8, 8), "image/png")
        else:
            await visit.answer(b"{}", status="404 Not Found")

    async with called(tmp_path, paints, path="/models/me/painter") as caller:
        url = "/v1/images/generations"
        batch = await caller.until(await caller.begin(line("a", url=url, prompt="a fox"), endpoint=url))
        (row,) = await caller.lines(batch["output_file_id"])
    assert row["response"]["body"]["data"][0]["b64_json"]


async def test_a_batch_goes_on_when_the_gateway_starts_again(tmp_path: Path) -> None:
    held = asyncio.Event()
    talker = Talker("fine")

    async def holding(visit: Visit) -> None:
        if b"say b" in visit.body:
            held.set()
            await visit.gone()
        else:
            await talker(visit)

    async with called(tmp_path, holding) as caller:
        batch = await caller.begin(line("a"), line("b"))
        await held.wait()
        await caller.until(batch, lambda now: now["request_counts"]["completed"] == 1)
    async with called(tmp_path, talker) as caller:
        batch = await caller.until(batch)
        output = await caller.lines(batch["output_file_id"])
    assert batch["status"] == "completed"
    assert sorted(row["custom_id"] for row in output) == ["a", "b"]
    assert len(talker.asked) == 2, "what was recorded is not asked again"


async def test_a_cancelled_batch_stops_at_once_and_keeps_what_it_has(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def holding(visit: Visit) -> None:
        if b"say b" in visit.body:
            await visit.gone()
            gone.set()
        else:
            await Talker("fine")(visit)

    async with called(tmp_path, holding) as caller:
        batch = await caller.begin(line("a"), line("b"))
        await caller.until(batch, lambda now: now["request_counts"]["completed"] == 1)
        status, cancelling = await caller.call("POST", f"/v1/batches/{batch['id']}/cancel")
        assert (status, cancelling["status"]) == (200, "cancelling")
        batch = await caller.until(batch)
        await gone.wait()
        output, errors = await caller.lines(batch["output_file_id"]), await caller.lines(batch["error_file_id"])
        again, _ = await caller.call("POST", f"/v1/batches/{batch['id']}/cancel")
    assert batch["status"] == "cancelled"
    assert [row["custom_id"] for row in output] == ["a"]
    assert [(row["custom_id"], row["error"]["code"]) for row in errors] == [("b", "batch_cancelled")]
    assert again == 409


async def test_files_and_batches_are_their_callers_own(tmp_path: Path) -> None:
    async with called(tmp_path, Talker("fine"), key="first", keys=("first", "second")) as first:
        second = Caller(first.client, first.url, "second")
        batch = await first.until(await first.begin(line("a")))
        for path in (f"/v1/files/{batch['output_file_id']}", f"/v1/batches/{batch['id']}"):
            assert (await first.call("GET", path))[0] == 200
            assert (await second.call("GET", path))[0] == 404
        for path in ("/v1/files", "/v1/batches"):
            assert (await first.call("GET", path))[1]["data"]
            assert (await second.call("GET", path))[1]["data"] == []
        asked = {"input_file_id": batch["input_file_id"], "endpoint": CHAT}
        assert (await second.call("POST", "/v1/batches", asked))[0] == 404
        assert (await second.call("DELETE", f"/v1/files/{batch['input_file_id']}"))[0] == 404
        assert (await Caller(first.client, first.url).call("GET", "/v1/files"))[0] == 401


async def test_a_file_is_described_listed_and_deleted(tmp_path: Path) -> None:
    async with called(tmp_path, Talker("fine")) as caller:
        _, file = await caller.upload(line("a"))
        assert (file["object"], file["purpose"], file["filename"]) == ("file", "batch", "in_20put.jsonl")
        assert (await caller.call("GET", f"/v1/files/{file['id']}"))[1] == file
        assert [each["id"] for each in (await caller.call("GET", "/v1/files"))[1]["data"]] == [file["id"]]
        assert (await caller.call("DELETE", f"/v1/files/{file['id']}"))[1]["deleted"] is True
        assert (await caller.call("GET", f"/v1/files/{file['id']}"))[0] == 404
        for crooked in ("..%2fbatches", "file-..%2f..%2fetc", "x" * 500):
            assert (await caller.call("GET", f"/v1/files/{crooked}"))[0] == 404
    assert not list((tmp_path / "files").iterdir())


async def test_lists_come_in_pages(tmp_path: Path) -> None:
    async with called(tmp_path, Talker("fine")) as caller:
        for name in "abc":
            await caller.upload(line(name))
        _, first = await caller.call("GET", "/v1/files?limit=2")
        _, second = await caller.call("GET", f"/v1/files?limit=2&after={first['last_id']}")
        assert (len(first["data"]), first["has_more"]) == (2, True)
        assert (len(second["data"]), second["has_more"]) == (1, False)
        assert (await caller.call("GET", "/v1/files?limit=0"))[0] == 400


async def test_what_is_too_large_or_for_another_purpose_is_refused_and_not_kept(tmp_path: Path) -> None:
    async with called(tmp_path, Talker("fine"), limits=Limits(file=1000)) as caller:
        assert (await caller.upload("x" * 2000))[0] == 413
        status, answer = await caller.upload(line("a"), purpose="fine-tune")
        assert (status, answer["error"]["param"]) == (400, "purpose")
        asked = {"input_file_id": "file-0", "endpoint": "/v1/embeddings"}
        status, answer = await caller.call("POST", "/v1/batches", asked)
        assert (status, answer["error"]["param"]) == (400, "endpoint")
    assert not (tmp_path / "files").exists() or not list((tmp_path / "files").iterdir())


async def test_a_gateway_without_a_folder_says_so(tmp_path: Path) -> None:
    async with called(tmp_path, Talker("fine")) as caller, gateway(Settings()) as url:
        for path in ("/v1/files", "/v1/batches"):
            status, answer = await Caller(caller.client, url).call("GET", path)
            assert status == 404
            assert "--batches" in answer["error"]["message"]


def test_what_callers_send_is_for_nobody_else_on_this_machine(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "folder")
    _, content = store.new()
    assert content.parent.stat().st_mode & 0o077 == 0
