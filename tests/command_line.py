"""The command line as people use it: in a process of its own, in pipes or on a terminal, against loopback servers."""

import asyncio
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from loopback import Visit

HFGEN: Final = (sys.executable, "-m", "hfgen")
MODELS: Final = b'{"data":[{"id":"a-model","owned_by":"me"}]}'


def chunk(text: str | None = None, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


class Talker:
    """An OpenAI-like server that says what it is told and remembers what it was asked.

    With `finish=None` it then says no more, and waits until its client leaves.
    """

    def __init__(self, *texts: str, finish: str | None = "stop") -> None:
        self.texts = texts
        self.finish = finish
        self.asked: list[dict[str, Any]] = []
        self.gone = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        if visit.method == "GET":
            known = visit.path == "/v1/models"
            await visit.answer(MODELS if known else b"{}", status="200 OK" if known else "404 Not Found")
            return
        self.asked.append(json.loads(visit.body))
        await visit.begin_stream()
        for text in self.texts:
            await visit.event(chunk(text))
        if self.finish is None:
            await visit.gone()
            self.gone.set()
            return
        await visit.event(chunk(None, self.finish))
        await visit.event("[DONE]")
        await visit.end_stream()


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "TERM": "xterm", **more}


async def hfgen_bytes(*words: str, stdin: bytes = b"", **more: str) -> tuple[int, bytes, bytes]:
    """Run `hfgen` with what is piped into it: its exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *HFGEN,
        *words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**more),
    )
    out, err = await process.communicate(stdin)
    return process.returncode or 0, out, err


async def hfgen(*words: str, stdin: str = "", **more: str) -> tuple[int, str, str]:
    """`hfgen_bytes` as text."""
    code, out, err = await hfgen_bytes(*words, stdin=stdin.encode(), **more)
    return code, out.decode(), err.decode()


def fall_asleep(process: asyncio.subprocess.Process) -> None:
    """Wait until its main thread waits."""
    status = Path(f"/proc/{process.pid}/stat")
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "S":
        os.sched_yield()


class Terminal:
    """A terminal with `hfgen` on it: what it wrote, and keys to type."""

    def __init__(self, process: asyncio.subprocess.Process, line: int) -> None:
        self.written = ""
        self._process = process
        self._line = line
        self._seen = 0
        self._raw = b""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(line, self._read)

    def type(self, text: str) -> None:
        os.write(self._line, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C, as the terminal's driver sends it."""
        self.type("\x03")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def until(self, text: str) -> None:
        """Wait until it has written this since the last time that something was waited for."""
        async with asyncio.timeout(30):
            while (at := self.written.find(text, self._seen)) < 0:
                self._news.clear()
                await self._news.wait()
        self._seen = at + len(text)

    async def end(self) -> int:
        """Wait until it has left."""
        async with asyncio.timeout(30):
            code = await self._process.wait()
            while self._read():
                pass
        return code

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        if self._process.returncode is None:
            self._process.kill()
        os.close(self._line)

    def _read(self) -> bool:
        try:
            data = os.read(self._line, 65536)
        except OSError:  # EIO: nobody has the other end open
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._line)
            return False
        self._raw += data
        self.written = self._raw.decode(errors="replace")
        self._news.set()
        return True


def terminal(*words: str, size: tuple[int, int] = (80, 24), **more: str) -> AbstractAsyncContextManager[Terminal]:
    """`hfgen` on a terminal of so many columns and rows, all three streams."""
    return terminal_of(*HFGEN, *words, size=size, env=environment(**more))


@asynccontextmanager
async def terminal_of(*program: str, size: tuple[int, int], env: dict[str, str]) -> AsyncIterator[Terminal]:
    """A program on a terminal, all three streams."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    process = await asyncio.create_subprocess_exec(
        *program, stdin=theirs, stdout=theirs, stderr=theirs, env=env, preexec_fn=lambda: os.login_tty(theirs)
    )
    os.close(theirs)
    opened = Terminal(process, ours)
    try:
        yield opened
    finally:
        opened.close()
        await process.wait()
