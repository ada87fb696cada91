"""A conversation on a terminal."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from command_line import MODELS, Talker, chunk, terminal
from hfgen.cli.conversation import Conversation
from loopback import Visit, serving


def said(talker: Talker, index: int = -1) -> list[str]:
    return [message["content"] for message in talker.asked[index]["messages"]]


async def test_it_remembers_and_obeys(tmp_path: Path) -> None:
    talker = Talker("an answer")
    async with serving(talker) as server, terminal("--api-base", server.url, HFGEN_HOME=str(tmp_path)) as screen:
        await screen.until(">>> ")
        for line in ("first", "second", "/system Be brief", "third"):
            screen.type(f"{line}\n")
            await screen.until(">>> ")
        assert said(talker) == ["Be brief", "first", "an answer", "second", "an answer", "third"]
        screen.type("/regen\n")
        await screen.until(">>> ")
        assert said(talker) == ["Be brief", "first", "an answer", "second", "an answer", "third"]
        screen.type("/reset\n")
        await screen.until(">>> ")
        screen.type("/model other\n")
        await screen.until(">>> ")
        screen.type('"""two\n')
        await screen.until("... ")
        screen.type('lines"""\n')
        await screen.until(">>> ")
        assert said(talker) == ["Be brief", "two\nlines"]
        assert talker.asked[-1]["model"] == "other"
        screen.type("/nonsense\n")
        await screen.until("no command /nonsense")
        screen.type("/usr/bin is a path\n")
        await screen.until(">>> ")
        await screen.until(">>> ")
        screen.type("\x04")
        assert await screen.end() == 0
    history = (tmp_path / "history").read_text().splitlines()
    assert history[:2] == ["first", "second"]
    assert (tmp_path / "history").stat().st_mode & 0o777 == 0o600


async def test_going_on_extends_the_last_answer() -> None:
    asked: list[tuple[str, bytes]] = []

    async def talk(visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(MODELS if visit.path == "/v1/models" else b"{}")
            return
        asked.append((visit.path, visit.body))
        await visit.begin_stream()
        text = "Once" if visit.path.endswith("chat/completions") else " upon a time"
        raw = json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": "stop"}]})
        await visit.event(chunk(text, "stop") if text == "Once" else raw)
        await visit.event("[DONE]")
        await visit.end_stream()

    async with serving(talk) as server, terminal("--api-base", server.url) as screen:
        await screen.until(">>> ")
        screen.type("/continue\n")
        await screen.until("no answer yet")
        screen.type("a story\n")
        await screen.until("tokens" if "tokens" in screen.written else "token")
        screen.type("/continue\n")
        await screen.until("upon a time")
        screen.type("and then?\n")
        await screen.until("Once")
        screen.type("/exit\n")
        assert await screen.end() == 0
    last = json.loads(asked[-1][1])
    assert last["messages"][1] == {"role": "assistant", "content": "Once upon a time"}


async def test_an_error_keeps_the_conversation() -> None:
    talker = Talker("fine")
    failing = asyncio.Event()

    async def talk(visit: Visit) -> None:
        if visit.method == "POST" and failing.is_set():
            await visit.answer(b'{"error":{"message":"too long for me"}}', status="400 Bad Request")
        else:
            await talker(visit)

    async with serving(talk) as server, terminal("--api-base", server.url) as screen:
        await screen.until(">>> ")
        screen.type("one\n")
        await screen.until(">>> ")
        failing.set()
        screen.type("two\n")
        await screen.until("too long for me")
        await screen.until(">>> ")
        failing.clear()
        screen.type("three\n")
        await screen.until("fine")
        screen.type("/exit\n")
        assert await screen.end() == 0
    assert said(talker) == ["one", "fine", "three"]


async def test_ctrl_c_stops_an_answer_and_keeps_what_came() -> None:
    talker = Talker("half an answer", finish=None)
    async with serving(talker) as server, terminal("--api-base", server.url) as screen:
        await screen.until(">>> ")
        screen.type("one\n")
        await screen.until("half an answer")
        screen.interrupt()
        async with asyncio.timeout(10):
            await talker.gone.wait()
        await screen.until(">>> ")
        talker.finish = "stop"
        screen.type("two\n")
        await screen.until(">>> ")
        screen.type("\x04")
        assert await screen.end() == 0
    assert said(talker) == ["one", "half an answer", "two"]


async def test_two_ctrl_c_at_the_prompt_leave() -> None:
    async with terminal("--api-base", "http://127.0.0.1:9") as screen:
        await screen.until(">>> ")
        screen.type("unfinished")
        await screen.until("unfinished")
        screen.interrupt()
        await screen.until("once more")
        await screen.until(">>> ")
        screen.interrupt()
        assert await screen.end() == 130
    assert "Traceback" not in screen.written


async def test_it_opens_no_connection_after_those_that_asked_which_server_it_is() -> None:
    """The probes are sent at once and leave a connection each; the questions take turns on these."""
    talker = Talker("fine")
    async with serving(talker) as server, terminal("--api-base", server.url) as screen:
        for number in range(8):
            await screen.until(">>> ")
            screen.type(f"{number}\n")
            await screen.until("fine")
        await screen.until(">>> ")
        screen.type("/exit\n")
        assert await screen.end() == 0
    ports = {"GET": set[int](), "POST": set[int]()}
    for visit in server.visits:
        ports[visit.method].add(visit.writer.get_extra_info("peername")[1])
    assert len(talker.asked) == 8
    assert ports["POST"] <= ports["GET"]


async def test_without_an_engine_it_does_not_begin(tmp_path: Path) -> None:
    """A module that cannot be found stands for one that is not installed."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['xllamacpp'] = None")
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    for words in ((), ("chat",), ("-m", "local"), ("hi",)):
        async with terminal(*words, PYTHONPATH=path) as screen:
            assert await screen.end() == 5
        assert ">>>" not in screen.written
        for way in ("pip install 'hfgen[local]'", "HF_TOKEN", "--api-base"):
            assert way in screen.written


async def test_a_model_that_nobody_here_can_run_is_not_changed_to(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['xllamacpp'] = None")
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    async with terminal("-m", "some/model", HF_TOKEN="hf_none_none_none", PYTHONPATH=path) as screen:
        await screen.until("A conversation with some/model.")
        await screen.until(">>> ")
        screen.type("/model local\n")
        await screen.until("not installed")
        await screen.until(">>> ")
        screen.type("/model\n")
        await screen.until("model: some/model")
        await screen.until(">>> ")
        screen.type("\x04")
        assert await screen.end() == 0


async def test_a_server_that_closed_the_connection_meanwhile_is_asked_anew() -> None:
    talker = Talker("fine")

    async def talk(visit: Visit) -> None:
        await talker(visit)
        if visit.method == "POST":
            visit.writer.close()

    async with serving(talk) as server, terminal("--api-base", server.url) as screen:
        for line in ("one\n", "two\n"):
            await screen.until(">>> ")
            screen.type(line)
            await screen.until("fine")
        await screen.until(">>> ")
        screen.type("/exit\n")
        assert await screen.end() == 0
    assert "waiting" not in screen.written


def test_another_answer_that_does_not_come_leaves_the_former() -> None:
    talk = Conversation()
    talk.ask("q")
    talk.hear("a")
    assert talk.take_back()
    talk.hear("")
    assert [message["role"] for message in talk.messages] == ["user", "assistant"]
    assert not Conversation().take_back()


@pytest.mark.engine
async def test_the_local_model_holds_a_conversation() -> None:
    async with terminal("-m", "local") as screen:
        await screen.until(">>> ")
        screen.type("What is the capital of France?\n")
        await screen.until("Paris")
        await screen.until(">>> ")
        screen.type("And of Italy?\n")
        await screen.until("Rome")
        await screen.until(">>> ")
        screen.type("/exit\n")
        assert await screen.end() == 0
