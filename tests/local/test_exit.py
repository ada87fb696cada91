"""However the process ends, the engine ends with it, at once and without a word."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.engine

# A program in the middle of a long answer: it says where its engine is, and goes on when a line or Ctrl-C comes.
PROGRAM = """
import asyncio, http.client, json, sys
from urllib.parse import urlsplit
from hfgen.providers.local import local_target

target = asyncio.run(local_target(sys.argv[1]))
story = {"messages": [{"role": "user", "content": "Tell me a story"}], "stream": True, "max_tokens": 4000,
         "ignore_eos": True}
link = http.client.HTTPConnection(urlsplit(target.base).netloc)
link.request("POST", "/v1/chat/completions", json.dumps(story), {"Authorization": f"Bearer {target.token}"})
answer = link.getresponse()
answer.readline()
try:
    print(target.base, flush=True)
    sys.stdin.readline()
except KeyboardInterrupt:
    print(*(answer.readline() for _ in range(40)))
"""


@contextlib.contextmanager
def streaming(weights: Path) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """The program, and a connection of ours to its engine, which breaks when the engine is gone."""
    command = [sys.executable, "-c", PROGRAM, str(weights)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as program:
        try:
            assert program.stdout is not None
            port = urlsplit(program.stdout.readline().strip()).port
            with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as link:
                yield program, link
        finally:
            program.kill()


def closed(link: socket.socket) -> bool:
    try:
        return link.recv(1) == b""
    except ConnectionResetError:
        return True


def test_the_interpreter_exits_cleanly_in_the_middle_of_a_stream(weights: Path) -> None:
    with streaming(weights) as (program, link):
        began = time.monotonic()
        _, stderr = program.communicate("\n", timeout=20)

        assert (program.returncode, stderr) == (0, "")
        assert time.monotonic() - began < 5
        assert closed(link)


def test_a_program_that_is_killed_takes_its_engine_along(weights: Path) -> None:
    with streaming(weights) as (program, link):
        program.kill()

        assert closed(link)


def test_ctrl_c_reaches_the_program_and_not_the_engine(weights: Path) -> None:
    with streaming(weights) as (program, link):
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        stdout, stderr = program.communicate(timeout=20)

        assert stdout.count("chat.completion.chunk") >= 10
        assert (program.returncode, stderr) == (0, "")
        assert closed(link)
