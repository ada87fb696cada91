"""The floor of a proxy in Python: aiohttp at both ends, bytes handed on as they come.

`passthrough.py PORT URL [uvloop]`
"""

import sys
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

UPSTREAM = web.AppKey("upstream", aiohttp.ClientSession)


async def hand_on(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    async with request.app[UPSTREAM].post(request.path, data=body) as upstream:
        answer = web.StreamResponse(headers={"Content-Type": upstream.headers["Content-Type"]})
        await answer.prepare(request)
        async for data in upstream.content.iter_any():
            await answer.write(data)
        await answer.write_eof()
        return answer


async def connected(app: web.Application) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(sys.argv[2], connector=aiohttp.TCPConnector(limit=0)) as app[UPSTREAM]:
        yield


app = web.Application()
app.router.add_post("/{path:.*}", hand_on)
app.cleanup_ctx.append(connected)
port, _, *named = sys.argv[1:]
loop = __import__(named[0]).new_event_loop() if named else None
web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, backlog=4096, loop=loop)
