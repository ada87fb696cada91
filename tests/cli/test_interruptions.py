"""Leaving early, in all the ways people do: the server stops, the text stays, the terminal is clean."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from command_line import HFGEN, MODELS, Talker, chunk, environment, fall_asleep, terminal
from loopback import Visit, serving

POLITE = (signal.SIGTERM, signal.SIGHUP)
AT_ONCE = 10  # seconds: aiohttp looks after its connections every 15, which would wake a loop that missed a signal


async def piped(
    *words: str, program: Sequence[str] = HFGEN, ignored: signal.Signals | None = None
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
    """`hfgen` in pipes, started with a signal ignored where one is named; and its stdout."""
    process = await asyncio.create_subprocess_exec(
        *program, *words,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        preexec_fn=None if ignored is None else lambda: signal.signal(ignored, signal.SIG_IGN),
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout


async def test_ctrl_c_stops_the_server_and_keeps_what_came() -> None:
    talker = Talker("first words", finish=None)
    async with serving(talker) as server:
        process, out = await piped("--api-base", server.url, "hi")
        got = await out.readexactly(len("first words"))
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(AT_ONCE):
            await talker.gone.wait()
        rest, err = await process.communicate()
    assert process.returncode == 130
    assert (got + rest).decode() == "first words\n"
    assert b"Traceback" not in err


async def test_ctrl_c_on_a_terminal_leaves_it_clean() -> None:
    talker = Talker("first *words", finish=None)
    async with serving(talker) as server, terminal("--api-base", server.url, "hi") as screen:
        await screen.until("words")
        screen.interrupt()
        async with asyncio.timeout(AT_ONCE):
            await talker.gone.wait()
        assert await screen.end() == 130
    assert screen.written.replace("\x1b[?2026l", "").endswith("\n")
    assert "Traceback" not in screen.written
    assert "\x1b[?25l" not in screen.written, "the cursor was never hidden"


async def test_ctrl_c_in_json_is_the_last_line() -> None:
    talker = Talker("first words", finish=None)
    async with serving(talker) as server, terminal("--json", "--api-base", server.url, "hi") as screen:
        await screen.until("first words")
        screen.interrupt()
        assert await screen.end() == 130
    last = screen.written.rpartition("{")[2].partition("}")[0]
    assert json.loads(f"{{{last}}}")["error"] == "Interrupted"


@pytest.mark.parametrize("number", POLITE)
async def test_a_polite_kill_stops_the_server_too(number: signal.Signals) -> None:
    talker = Talker("first words", finish=None)
    async with serving(talker) as server, terminal("--api-base", server.url, "hi") as screen:
        await screen.until("words")
        screen.signal(number)
        async with asyncio.timeout(AT_ONCE):
            await talker.gone.wait()
        assert await screen.end() == 128 + number
    assert "Traceback" not in screen.written


@pytest.mark.parametrize("number", [signal.SIGINT, *POLITE])
async def test_a_signal_that_interrupts_no_wait_is_heeded_at_once(number: signal.Signals) -> None:
    """As if it came between Python's last look for signals and the wait: another thread takes it."""
    program = f"""
import signal, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [{number:d}])
from hfgen.cli import main
main()
"""
    talker = Talker("first words", finish=None)
    async with serving(talker) as server:
        process, out = await piped("--api-base", server.url, "hi", program=(sys.executable, "-c", program))
        await out.readexactly(len("first words"))
        fall_asleep(process)
        process.send_signal(number)
        async with asyncio.timeout(AT_ONCE):
            await talker.gone.wait()
        _, err = await process.communicate()
    assert process.returncode == 128 + number
    assert b"Traceback" not in err


@pytest.mark.parametrize("number", POLITE)
async def test_a_polite_kill_ends_a_scripts_background_job(number: signal.Signals) -> None:
    """A shell starts it with SIGINT ignored."""
    talker = Talker("first words", finish=None)
    async with serving(talker) as server:
        process, out = await piped("--json", "--api-base", server.url, "hi", ignored=signal.SIGINT)
        await out.readline()
        process.send_signal(signal.SIGINT)
        process.send_signal(number)
        async with asyncio.timeout(AT_ONCE):
            await talker.gone.wait()
        rest, err = await process.communicate()
    assert process.returncode == 128 + number
    assert json.loads(rest.splitlines()[-1])["exit_code"] == 128 + number
    assert b"Traceback" not in err


async def test_what_nohup_starts_outlives_its_terminal() -> None:
    hung_up = asyncio.Event()

    async def talk(visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(MODELS if visit.path == "/v1/models" else b"{}")
            return
        await visit.begin_stream()
        await visit.event(chunk("first"))
        await hung_up.wait()
        await visit.event(chunk(" and last", "stop"))
        await visit.end_stream()

    async with serving(talk) as server:
        process, out = await piped("--api-base", server.url, "hi", ignored=signal.SIGHUP)
        got = await out.readexactly(len("first"))
        process.send_signal(signal.SIGHUP)
        hung_up.set()
        rest, _ = await process.communicate()
    assert (process.returncode, got + rest) == (0, b"first and last\n")


@pytest.mark.parametrize("number", POLITE)
async def test_a_polite_kill_ends_a_conversation_in_the_middle_of_an_answer(
    number: signal.Signals, tmp_path: Path
) -> None:
    talker = Talker("first words", finish=None)
    async with serving(talker) as server, terminal("--api-base", server.url, HFGEN_HOME=str(tmp_path)) as screen:
        await screen.until(">>> ")
        screen.type("hi\n")
        await screen.until("words")
        screen.signal(number)
        async with asyncio.timeout(AT_ONCE):
            await talker.gone.wait()
        assert await screen.end() == 128 + number
    assert "Traceback" not in screen.written
    assert "stopped" not in screen.written


@pytest.mark.parametrize("number", POLITE)
async def test_a_polite_kill_ends_a_conversation_that_waits_for_a_question(
    number: signal.Signals, tmp_path: Path
) -> None:
    async with serving(Talker()) as server, terminal("--api-base", server.url, HFGEN_HOME=str(tmp_path)) as screen:
        await screen.until(">>> ")
        screen.signal(number)
        assert await screen.end() == 128 + number
    assert "Traceback" not in screen.written
    assert "once more" not in screen.written


async def test_a_reader_that_has_enough_is_no_error() -> None:
    """`hfgen … | head -1`: silent, and the server stops."""
    talker = Talker("one\n", *["more\n"] * 20000, finish=None)
    async with serving(talker) as server:
        command = " ".join([*HFGEN, "--api-base", server.url, "hi"])
        process = await asyncio.create_subprocess_shell(
            f"exec 3>&1; ({command}; echo code=$? >&3) | head -1",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        out, err = await process.communicate()
        assert server.visits[-1].writer.transport.is_closing() or await _left(server.visits[-1].reader)
    assert out.decode().split() == ["one", "code=0"]
    assert err == b""


async def _left(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(AT_ONCE):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
    return True


@pytest.mark.engine
async def test_the_real_engines_answer_is_stopped_and_kept() -> None:
    async with terminal("-m", "local", "--max-tokens", "900", "Tell me a very long story of a fox.") as screen:
        await screen.until("fox")
        screen.interrupt()
        assert await screen.end() == 130
    assert "Traceback" not in screen.written
