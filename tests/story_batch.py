"""A batch whose every right answer is known, run by `hfgen batch` in a process of its own against `known_server`."""

import json
import resource
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from command_line import HFGEN, environment
from fault_server import story

SERVER: Final = Path(__file__).with_name("known_server.py")
AT_ONCE: Final = 8


class StoryBatch:
    """Rows 0 to `rows` - 1, each `Story <n>.`"""

    def __init__(self, folder: Path, port: int, rows: int) -> None:
        self.rows = range(rows)
        self.out = folder / "out.jsonl"
        self._input = folder.parent / f"{folder.name}.in.jsonl"
        self._root = f"http://127.0.0.1:{port}"
        self._input.write_text("".join(_line(number) for number in self.rows))

    def begin(self, at_once: int = AT_ONCE) -> subprocess.Popen[str]:
        """Start the one command, which is the same each time."""
        words = [*HFGEN, "batch", str(self._input), "--out", str(self.out), "--api-base", self._root, "-m", "m"]
        words += ["--concurrency", str(at_once), "--quiet"]
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment())

    def finish(self, at_once: int = AT_ONCE, longest_file: int | None = None) -> tuple[int, str]:
        """Run it to its end, with a bound on its files in bytes: its exit code, and what it said."""
        with self.begin(at_once) as process:
            if longest_file is not None:  # set long before it has read its own program
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (longest_file, longest_file))
            _, said = process.communicate()
        return process.returncode, said

    def wait(self, process: subprocess.Popen[str], calls: int) -> None:
        """Until the server has had so many calls, or the run is over."""
        while self.total() < calls and process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)

    def recorded(self) -> dict[str, dict[str, Any]]:
        """Every line of the output: each is whole, and no row has two."""
        *lines, rest = self.out.read_bytes().split(b"\n") if self.out.exists() else [b""]
        assert rest == b"", f"the last line has no end: {rest[:80]!r}"
        found = [json.loads(line) for line in lines]
        named = {line["custom_id"]: line for line in found}
        assert len(named) == len(found), "a row is recorded twice"
        return named

    def check(self) -> None:
        """Every row is answered, once, and with exactly its text."""
        assert {name: told(line) for name, line in self.recorded().items()} == {f"r{n}": story(n) for n in self.rows}

    def asked(self) -> dict[int, int]:
        """How often the server was asked for each row."""
        return {int(number): times for number, times in json.loads(self._get("/asked")).items()}

    def total(self) -> int:
        return int(self._get("/total"))

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self._root + path, timeout=30) as answer:
            said: bytes = answer.read()
        return said


def told(line: dict[str, Any]) -> str:
    """The text of an answer, "" for none."""
    response = line["response"]
    text: str = response["body"]["choices"][0]["message"]["content"] if response["status_code"] == 200 else ""
    return text


def _line(number: int) -> str:
    body = {"messages": [{"role": "user", "content": f"Story {number}."}]}
    return json.dumps({"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"


@contextmanager
def story_batch(folder: Path, rows: int, *, faults: bool = False) -> Generator[StoryBatch, None, None]:
    """The batch, and a server of its own, which may stumble."""
    words = [sys.executable, str(SERVER), *(["faults"] if faults else [])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield StoryBatch(folder, int(server.stdout.readline()), rows)
        finally:
            server.kill()
