"""Drive the gateway with the clients that people have: `scripts/clients [NAME …] [--home FOLDER] [--budget SECONDS]`.

Each gets an environment of its own, and two gateways: one before a server whose answers are known, which asks for a
key, and one before the real engine. What does not install within the budget is skipped, and said. `faults`, with the
authors' catalogue beside the checkout, plays all of it behind the gateway and openai's client in front.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from clients.environments import CLIENTS, Absent, command, python
from clients.faulty import report
from clients.scripted import scripted
from faults.__main__ import SHARED

KEY: Final = "a-key-of-the-tests"
_FAULTS: Final = "faults"
_PATIENCE: Final = 90.0  # seconds for one client's program


@asynccontextmanager
async def served(*words: str, key: str = "") -> AsyncIterator[str]:
    """`hfgen serve` as a process; yields its root."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hfgen", "serve", "--port", "0", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HFGEN_API_KEY": key, "HF_TOKEN": "", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
    )
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(60):
        while b"the gateway is at" not in said:
            said = await process.stdout.readline()
            assert said, "the gateway ended before it began"
    heard = asyncio.create_task(process.stdout.read())  # a full pipe would stop it
    try:
        yield said.decode().split()[-1].removesuffix("/v1")
    finally:
        process.terminate()
        await process.wait()
        log = (await heard).decode()
        if "Traceback" in log:
            print(log)
            raise AssertionError("the gateway failed; its log is above")


class Stage:
    """All clients in turn; while one runs, the next is installed.

    Args:
        home: Where their environments are.
        budget: Seconds after which no client is begun.
        environment: What each program gets.
    """

    def __init__(self, home: Path, budget: float, environment: dict[str, str]) -> None:
        self._home = home
        self._budget = budget
        self._environment = environment
        self._began = time.monotonic()
        self._installing = asyncio.Semaphore(1)

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self._budget - (time.monotonic() - self._began)

    async def drive(self, names: list[str]) -> int:
        """Run each; the number of those that found something wrong."""
        programs = {name: asyncio.create_task(self._installed(name)) for name in names if name != _FAULTS}
        wrong = skipped = 0
        for name in names:
            try:
                wrong += not await (self._faults() if name == _FAULTS else self._ran(name, await programs[name]))
            except Absent as why:
                skipped += 1
                print(f"{name}: SKIPPED, {why}", flush=True)
        print(f"{len(names)} clients, {skipped} skipped, {wrong} with something wrong, ", end="")
        print(f"{time.monotonic() - self._began:.0f} s")
        return wrong

    async def _installed(self, name: str) -> list[str]:
        async with self._installing:
            self._check_budget()
            return await asyncio.to_thread(command, CLIENTS[name], self._home / name.replace(" ", "-"), self.left)

    async def _ran(self, name: str, words: list[str]) -> bool:
        self._check_budget()
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, env=self._environment)
        try:
            said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
        except TimeoutError:
            process.kill()
            said, _ = await process.communicate()
            said += f"\n  WRONG not done within {_PATIENCE:g} s".encode()
        print(f"{name}: {time.monotonic() - began:.0f} s\n{said.decode().rstrip()}", flush=True)
        return process.returncode == 0

    async def _faults(self) -> bool:
        self._check_budget()
        if not SHARED.is_dir():
            raise Absent("the catalogue of faults is kept beside the authors' checkout")
        openai = CLIENTS["openai"].needs
        interpreter = await asyncio.to_thread(python, openai, self._home / "openai", self.left)
        return await report(interpreter, set())

    def _check_budget(self) -> None:
        if self.left <= 0:
            raise Absent("the budget is spent")


async def drive(names: list[str], home: Path, budget: float) -> int:
    """Start both gateways and run the stage before them."""
    async with (
        scripted() as upstream,
        served("--api-base", upstream.url, "--batches", str(home / "batches"), key=KEY) as known,
        served("-m", "local") as real,
    ):
        environment = {**os.environ, "GATEWAY": known, "KEY": KEY, "LOCAL": real, "PYTHONWARNINGS": "ignore"}
        environment.pop("PYTHONPATH", None)
        return await Stage(home, budget, environment).drive(names)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*CLIENTS, _FAULTS]
    parser.add_argument("names", nargs="*", help=f"of {', '.join(known)}; all of them without any")
    parser.add_argument("--home", type=Path, help="where the environments are made, and kept for the next time")
    parser.add_argument("--budget", type=float, default=150.0, help="seconds after which no client is begun")
    given = parser.parse_args()
    if unknown := set(given.names) - set(known):
        parser.error(f"no such client: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="hfgen-clients-") as made:
        return 1 if asyncio.run(drive(given.names or known, given.home or Path(made), given.budget)) else 0


if __name__ == "__main__":
    sys.exit(main())
