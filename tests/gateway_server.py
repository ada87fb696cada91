"""The gateway on a port of loopback, in the test's own event loop."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from starlette.types import ASGIApp

from hfgen.gateway.app import create_app
from hfgen.gateway.connection import Connection
from hfgen.gateway.server import configured
from hfgen.gateway.settings import Settings


def gateway(settings: Settings) -> AbstractAsyncContextManager[str]:
    """Serve until the context ends; yields the gateway's root."""
    return running(create_app(settings), settings.limits.connections)


@asynccontextmanager
async def running(app: ASGIApp, connections: int = 1000, http: type[Connection] = Connection) -> AsyncIterator[str]:
    """Serve an app as `hfgen serve` does until the context ends; yields its root."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = configured(app, drain=1, connections=connections)
    config.http = http
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


async def post(url: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    async with aiohttp.ClientSession() as client, client.post(url, json=body, headers=headers) as response:
        return response.status, json.loads(await response.read())


async def events(url: str, body: dict[str, Any]) -> list[str]:
    """The data of every event of a stream."""
    async with aiohttp.ClientSession() as client, client.post(url, json=body) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        raw = (await response.read()).decode()
    return [line.removeprefix("data: ") for line in raw.split("\n") if line.startswith("data: ")]


async def get(url: str) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        return response.status, json.loads(await response.read())
