"""How long the gateway bears the silence of the server behind it."""

import pytest

from clients.__main__ import served
from gateway_server import post
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
ASKED = {"model": "toy", "messages": [{"role": "user", "content": "Hello"}]}


class SilentOnce:
    """A model that does not answer the first who asks."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, visit: Visit) -> None:
        if visit.path != "/v1/chat/completions":
            await visit.answer(b"{}", status="404 Not Found")
            return
        self.asked += 1
        if self.asked == 1:
            await visit.gone()
        else:
            await visit.answer(b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}')


async def test_a_server_that_falls_silent_is_asked_again() -> None:
    model = SilentOnce()
    async with serving(model) as server, served("--api-base", server.url, "--timeout", "0.3") as url:
        status, answer = await post(f"{url}/v1/chat/completions", ASKED)
    assert (status, answer["choices"][0]["message"]["content"], model.asked) == (200, "Hi", 2)
