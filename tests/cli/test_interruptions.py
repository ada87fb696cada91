"""Leaving early, in all the ways people do: the server stops, the text stays, the terminal is clean."""

import asyncio
import json
import signal
import subprocess

import pytest

from command_line import HFGEN, Talker, environment, terminal
from loopback import serving


async def test_ctrl_c_stops_the_server_and_keeps_what_came() -> None:
    talker = Talker("first words", finish=None)
    async with serving(talker) as server:
        process = await asyncio.create_subprocess_exec(
            *HFGEN, "--api-base", server.url, "hi",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        assert process.stdout is not None
        got = await process.stdout.readexactly(len("first words"))
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(5):
            await talker.gone.wait()
        out, err = await process.communicate()
    assert process.returncode == 130
    assert (got + out).decode() == "first words\n"
    assert b"Traceback" not in err


async def test_ctrl_c_on_a_terminal_leaves_it_clean() -> None:
    talker = Talker("first *words", finish=None)
    async with serving(talker) as server, terminal("--api-base", server.url, "hi") as screen:
        await screen.until("words")
        screen.interrupt()
        async with asyncio.timeout(5):
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_polite_kill_stops_the_server_too(number: signal.Signals) -> None:
    talker = Talker("first words", finish=None)
    async with serving(talker) as server, terminal("--api-base", server.url, "hi") as screen:
        await screen.until("words")
        screen.signal(number)
        async with asyncio.timeout(5):
            await talker.gone.wait()
        assert await screen.end() == 128 + number
    assert "Traceback" not in screen.written


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
    async with asyncio.timeout(5):
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
