"""`hfgen serve` as a process: it begins, is told to stop, and ends what it had begun."""

import asyncio
import json
import os
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from command_line import hfgen
from hfgen.errors import UsageError
from hfgen.gateway.keys import digest
from hfgen.gateway.server import listen
from hfgen.gateway.settings import Settings
from hfgen.gateway.workers import serve_many
from loopback import Visit, serving
from pictures import png

pytestmark = pytest.mark.anyio
NOBODYS = "192.0.2.1"  # kept for documentation: no machine has it
ASKED = {"model": "toy", "messages": [{"role": "user", "content": "Hello"}], "stream": True}


def chunk(text: str, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


@asynccontextmanager
async def process(*arguments: str, **more: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`hfgen serve` on a free port, and where it is."""
    command = (sys.executable, "-m", "hfgen", "serve", "--port", "0", *arguments)
    served = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **more}
    )
    assert served.stderr is not None
    try:
        said = (await asyncio.wait_for(served.stderr.readline(), 30)).decode()
        yield served, said.split()[-1].removesuffix("/v1")
    finally:
        if served.returncode is None:
            served.kill()
        await served.communicate()


class Slow:
    """A model that says one word and, when it may, the last."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        if visit.path == "/v1/models":
            await visit.answer(b'{"object":"list","data":[{"id":"toy","owned_by":"me"}]}')
        elif visit.path == "/v1/chat/completions":
            await visit.begin_stream()
            await visit.event(chunk("Hi"))
            await self.go.wait()
            await visit.event(chunk(" there", "stop"))
            await visit.end_stream()
        else:
            await visit.answer(b"{}", status="404 Not Found")


def picture_folders(place: Path) -> list[int]:
    """Their modes."""
    return [stat.S_IMODE(folder.stat().st_mode) for folder in place.glob("hfgen-pictures-*")]


async def paints(visit: Visit) -> None:
    if visit.method == "POST":
        await visit.answer(png(16, 8), "image/png")
    else:
        await visit.answer(b"{}", status="404 Not Found")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_running_answer_comes_to_its_end_and_no_new_one_is_begun(number: signal.Signals) -> None:
    model = Slow()
    async with serving(model) as server, process("--api-base", server.url) as (served, url):
        async with aiohttp.ClientSession() as client, client.post(f"{url}/v1/chat/completions", json=ASKED) as answer:
            assert b"Hi" in await answer.content.readline()
            served.send_signal(number)
            await silence(url)
            model.go.set()
            assert (await answer.read()).endswith(b"data: [DONE]\n\n")
        assert await asyncio.wait_for(served.wait(), 30) == 128 + number


async def test_an_answer_that_takes_too_long_ends_with_an_error_event() -> None:
    async with (
        serving(Slow()) as server,
        process("--api-base", server.url, "--drain", "1") as (served, url),
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/chat/completions", json=ASKED) as answer,
    ):
        assert b"Hi" in await answer.content.readline()
        served.send_signal(signal.SIGTERM)
        end = (await answer.read()).decode().strip().rpartition("\n\n")[2].removeprefix("data: ")
        assert "stopped before the answer was complete" in json.loads(end)["error"]["message"]


async def test_what_was_not_begun_when_the_time_is_over_is_a_status() -> None:
    async with (
        serving(Slow()) as server,
        process("--api-base", server.url, "--drain", "1") as (served, url),
        aiohttp.ClientSession() as client,
    ):
        asking = asyncio.create_task(client.post(f"{url}/v1/chat/completions", json={**ASKED, "stream": False}))
        await until(lambda: any(visit.path == "/v1/chat/completions" for visit in server.visits))
        served.send_signal(signal.SIGTERM)
        async with await asking as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["code"] == "stopped"
        await served.wait()
        assert served.stderr is not None
        assert b"Traceback" not in await served.stderr.read()


async def test_two_workers_share_the_port_and_each_ends_what_it_has_begun() -> None:
    model = Slow()
    async with (
        serving(model) as server,
        process("--api-base", server.url, "--workers", "2", HFGEN_API_KEY="sesame") as (served, url),
        aiohttp.ClientSession(headers={"X-Api-Key": "sesame"}) as client,
    ):
        workers = children(served.pid)
        assert len(workers) == 2
        for process_id in (served.pid, *workers):
            assert b"sesame" not in command_line(process_id)
        async with client.post(f"{url}/v1/chat/completions", json=ASKED) as answer:
            assert b"Hi" in await answer.content.readline()
            served.send_signal(signal.SIGTERM)
            await silence(url)
            model.go.set()
            assert (await answer.read()).endswith(b"data: [DONE]\n\n")
        assert await asyncio.wait_for(served.wait(), 10) == 128 + signal.SIGTERM
        assert not [worker for worker in workers if alive(worker)]


async def test_each_worker_tells_the_figures_of_all() -> None:
    async with process("--workers", "2") as (_, url):
        for _ in range(12):  # each on a connection of its own, which the kernel gives to either
            async with aiohttp.ClientSession() as client, client.get(f"{url}/health"):
                pass
        for _ in range(4):
            async with aiohttp.ClientSession() as client, client.get(f"{url}/metrics") as answer:
                figures = await answer.text()
            assert 'hfgen_requests_total{route="/health",status="200"} 12.0' in figures
            assert "hfgen_running 1.0" in figures


async def test_each_worker_has_the_pictures_of_all_and_they_go_when_it_stops(tmp_path: Path) -> None:
    painter = serving(paints)
    async with (
        painter as server,
        process("--api-base", f"{server.url}/models/me/p", "--workers", "2", TMPDIR=str(tmp_path)) as (
            served,
            url,
        ),
    ):
        asked = {"model": "me/p", "prompt": "a fox", "response_format": "url", "seed": 7}
        addresses: list[str] = []
        for _ in range(4):  # each on a connection of its own, which the kernel gives to either
            async with (
                aiohttp.ClientSession() as client,
                client.post(f"{url}/v1/images/generations", json=asked) as made,
            ):
                addresses.append((await made.json())["data"][0]["url"])
        for address in addresses * 3:
            async with aiohttp.ClientSession() as client, client.get(address) as answer:
                assert (answer.status, await answer.read()) == (200, png(16, 8))
        assert picture_folders(tmp_path) == [0o700]
        served.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(served.wait(), 20) == 128 + signal.SIGTERM
        assert picture_folders(tmp_path) == []


async def test_pictures_go_though_whoever_started_the_workers_is_killed(tmp_path: Path) -> None:
    async with process("--workers", "2", TMPDIR=str(tmp_path)) as (served, _):
        assert picture_folders(tmp_path)
        served.kill()
        await served.wait()
        await until(lambda: not picture_folders(tmp_path))


def test_without_a_temporary_folder_several_workers_are_an_error_of_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    held = listen("127.0.0.1", 0, shared=True)
    with pytest.raises(UsageError, match="temporary folder") as refused:
        serve_many(Settings(), "127.0.0.1", held, 2, print)
    assert "TMPDIR" in refused.value.hint


async def test_a_worker_that_dies_is_started_again() -> None:
    async with process("--workers", "2") as (served, url), aiohttp.ClientSession() as client:
        before = children(served.pid)
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: len(set(children(served.pid)) - set(before)) == 1)
        async with client.get(f"{url}/health") as answer:
            assert answer.status == 200
        served.terminate()
        assert await asyncio.wait_for(served.wait(), 20) == 128 + signal.SIGTERM


async def test_workers_do_not_outlive_whoever_started_them() -> None:
    async with process("--workers", "2") as (served, _):
        workers = children(served.pid)
        served.kill()
        await served.wait()
        await until(lambda: not any(alive(worker) for worker in workers))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another process gives no event
            await asyncio.sleep(0.02)


def command_line(process_id: int | str) -> bytes:
    return Path(f"/proc/{process_id}/cmdline").read_bytes()


def children(parent: int) -> list[int]:
    """The gateways among the processes that it has started; multiprocessing has one of its own beside them."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(each) for each in found if b"spawn_main" in command_line(each)]


def alive(process_id: int) -> bool:
    status = Path(f"/proc/{process_id}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


async def silence(url: str) -> None:
    """Wait until nobody listens there."""
    with pytest.raises(aiohttp.ClientConnectionError):
        for _ in range(500):
            async with aiohttp.ClientSession() as client, client.get(f"{url}/health"):
                await asyncio.sleep(0.01)


async def test_an_open_door_to_others_is_refused_without_a_key() -> None:
    command = (sys.executable, "-m", "hfgen", "serve", "--host", "0.0.0.0", "--port", "0")
    served = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(served.communicate(), 30)
    assert served.returncode == 2
    assert b"no API key is set" in said


async def test_a_request_is_a_line_of_json_on_stdout() -> None:
    async with process() as (served, url), aiohttp.ClientSession() as client:
        async with client.get(f"{url}/health?secret=1") as answer:
            request_id = answer.headers["X-Request-Id"]
        assert served.stdout is not None
        line = json.loads(await served.stdout.readline())
        assert (line["path"], line["status"], line["complete"]) == ("/health", 200, True)
        assert line["request_id"] == request_id


async def test_keys_come_from_a_file_and_one_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# two of them\nfirst\n\n" + digest(b"second") + "\n")
    keys.chmod(0o644)
    code, _, said = await hfgen("serve", "--host", NOBODYS, "--api-key-file", str(keys))
    assert (code, "others can read" in said) == (2, True)
    keys.chmod(0o600)
    async with process("--api-key-file", str(keys)) as (_, url), aiohttp.ClientSession() as client:
        for key, status in (("first", 200), ("second", 200), ("third", 401)):
            async with client.get(f"{url}/metrics", headers={"X-Api-Key": key}) as answer:
                assert answer.status == status


@pytest.mark.parametrize("content", [None, b"", b"# none\n", b"\xff"])
async def test_a_file_without_keys_is_refused(content: bytes | None, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    if content is not None:
        keys.write_bytes(content)
    code, _, said = await hfgen("serve", "--api-key-file", str(keys))
    assert code == 2
    assert "key" in said
    assert str(keys) in said


async def test_a_key_in_the_command_line_is_warned_of_and_an_empty_one_refused() -> None:
    code, _, said = await hfgen("serve", "--host", NOBODYS, "--api-key", "sesame")
    assert (code, "list of processes" in said, "sesame" in said) == (2, True, False)
    code, _, said = await hfgen("serve", "--host", "0.0.0.0", "--api-key", "")
    assert (code, "empty" in said) == (2, True)
