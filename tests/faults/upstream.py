"""The fault server beside the authors' checkout, as a process of its own, and its control routes."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running fault server.

    Attributes:
        ports: Its listeners by name; `main`, `alt` (a second origin) and those that misbehave as a whole.
        control: Asks its control routes.
    """

    ports: dict[str, int]
    control: aiohttp.ClientSession

    def url(self, port: str = "main") -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    async def expected(self, prompt: str, max_tokens: int | None = None) -> str:
        """The text that a perfect client delivers."""
        async with self.control.post(f"{self.url()}/__expect", json={"prompt": prompt, "max_tokens": max_tokens}) as r:
            text: str = (await r.json())["text"]
            return text

    async def log(self, case: str) -> list[dict[str, Any]]:
        """Each request of a case, as the server saw it."""
        async with self.control.get(f"{self.url()}/__log", params={"case": case}) as response:
            entries: list[dict[str, Any]] = await response.json()
            return entries

    async def arm(self, port: str, times: int) -> None:
        """Let a listener misbehave so often again."""
        async with self.control.post(f"{self.url()}/__arm", json={"port": port, "n": times}) as response:
            response.raise_for_status()

    async def gone(self, case: str, within: float = 2.0) -> float | None:
        """When the server saw the client leave, on the machine's monotonic clock; None if it has not."""
        last = time.monotonic() + within
        while time.monotonic() < last:
            times = [entry["t_client_gone"] for entry in await self.log(case) if "t_client_gone" in entry]
            if times:
                return float(max(times))
            await asyncio.sleep(0.02)
        return None


@contextlib.asynccontextmanager
async def running(shared: Path) -> AsyncIterator[Upstream]:
    """Start the fault server on free ports of loopback; it ends with the context, or by itself in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(shared / "faultserver.py"),
        *("--port", "0", "--max-seconds", "1200"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        ports: dict[str, int] = json.loads(await process.stdout.readline())
        async with aiohttp.ClientSession() as control:
            yield Upstream(ports, control)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
