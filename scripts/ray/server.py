"""A model server with one right answer to each prompt, in a process of its own; it counts what it is asked.

`GET /told` says how often each prompt was asked and when; `GET /forget` begins anew.
"""

import asyncio
import hashlib
import json
import sys
import time
from collections import Counter

from aiohttp import web


def answer_to(prompt: str) -> str:
    return f"{prompt} is {hashlib.sha256(prompt.encode()).hexdigest()[:24]} ✓"


def seconds_for(prompt: str, most: float) -> float:
    """Mixed, and the same for each prompt: from a fifth of `most` up."""
    return most * (0.2 + 0.8 * hashlib.sha256(prompt.encode()).digest()[0] / 255)


class Model:
    def __init__(self, most: float) -> None:
        self.most = most
        self.asked: Counter[str] = Counter()
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        prompt = body["messages"][-1]["content"]
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        self.asked[prompt] += 1
        self.times.append(time.monotonic())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(seconds_for(prompt, self.most))
            await answer.prepare(request)
            choice = {"index": 0, "delta": {"content": answer_to(prompt)}, "finish_reason": None}
            end = {"index": 0, "delta": {}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
            events = [{"choices": [choice]}, {"choices": [end]}, {"choices": [], "usage": usage}]
            lines = [f"data: {json.dumps(event)}\n\n" for event in events]
            await answer.write("".join([*lines, "data: [DONE]\n\n"]).encode())
            await answer.write_eof()
        except ConnectionResetError:
            pass  # who asked is dead: that is what is tried here
        finally:
            self.at_once -= 1
        return answer

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "me"}]})

    async def told(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "requests": sum(self.asked.values()),
                "rows": len(self.asked),
                "twice": sum(times - 1 for times in self.asked.values()),
                "at_once": self.at_once,
                "most_at_once": self.most_at_once,
                "times": self.times,
            }
        )

    async def forget(self, request: web.Request) -> web.Response:
        self.most = float(request.query.get("seconds", self.most))
        self.asked.clear()
        self.times.clear()
        self.most_at_once = 0
        return web.Response()


async def main() -> None:
    model = Model(0.1)
    app = web.Application()
    app.add_routes(
        [
            web.post("/v1/chat/completions", model.chat),
            web.get("/v1/models", model.models),
            web.get("/told", model.told),
            web.get("/forget", model.forget),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # its parent's end is its own


if __name__ == "__main__":
    asyncio.run(main())
