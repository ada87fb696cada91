"""Whom a caller can reach through the gateway: whom the configuration names, and nobody else."""

import pytest

from gateway_server import gateway, post
from hfgen.gateway.names import Route, routes_of
from hfgen.gateway.settings import Settings
from loopback import Visit, serving

pytestmark = pytest.mark.anyio
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


async def says_hi(visit: Visit) -> None:
    await visit.answer(b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}')


def test_the_configuration_may_name_servers() -> None:
    names = {"fast": ("local", "toy@http://127.0.0.1:9")}
    assert routes_of("fast", names) == (Route("local"), Route("toy", "http://127.0.0.1:9"))


@pytest.mark.parametrize("spelt", ["toy@{url}", "@{url}", "{url}", "{url}/v1/chat/completions"])
async def test_a_caller_may_not(spelt: str) -> None:
    async with (
        serving(says_hi) as named,
        serving(says_hi) as other,
        gateway(Settings(api_base=(named.url,), upstream_key="a-secret")) as url,
    ):
        await post(f"{url}/v1/chat/completions", {"model": spelt.format(url=other.url), **HELLO})
    assert other.visits == []
