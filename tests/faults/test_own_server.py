"""The project's own fault server, through the public API: what any clone can run."""

import pytest

from fault_server import FAULTS, MODES, FaultServer, story
from faults.own import PATHS, WrongText, check, told
from loopback import serving

_ENDS = {"s401": "MissingAuth", "s429_long": "RateLimited", "html": "ServerError", "json_error": "ServerError"}


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in ("cut", *_ENDS)])
@pytest.mark.parametrize("api", PATHS)
async def test_a_fault_that_hits_once_leaves_the_text_whole(fault: str, api: str) -> None:
    if fault == "error_choices" and api == "tgi":
        pytest.skip("TGI's own route knows no choices")
    async with serving(FaultServer().talk) as server:
        assert await told(server.url, f"{fault}/vllm/1", api, seed=5) == ("whole", story(5))


@pytest.mark.parametrize(("fault", "error"), _ENDS.items())
async def test_a_fault_that_stays_is_an_error_of_its_own(fault: str, error: str) -> None:
    async with serving(FaultServer().talk) as server:
        ended, text = await told(server.url, f"always_{fault}/vllm/1", "chat", seed=5)
        assert (ended, text) == (error, "")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", ["rst", "fin", "stall", "error_object"])
async def test_however_a_server_continues_no_text_is_wrong(mode: str, fault: str) -> None:
    async with serving(FaultServer().talk) as server:
        ended, _ = await told(server.url, f"{fault}/{mode}/1", "chat", seed=8)  # raises where text is wrong
        assert ended in ("whole", "TruncatedStream", "GenerationError")


@pytest.mark.parametrize("mode", ["vllm", "tgi", "llamacpp"])
async def test_servers_that_can_continue_do(mode: str) -> None:
    async with serving(FaultServer().talk) as server:
        assert await told(server.url, f"rst/{mode}/1", "chat", seed=9) == ("whole", story(9))


@pytest.mark.parametrize("text", [story(3)[:-1], story(3) + "x", story(3)[:9] + story(3)[6:], ""])
def test_the_judge_sees_short_long_and_doubled_text(text: str) -> None:
    with pytest.raises(WrongText):
        check(text, "whole", story(3))
    check(story(3), "whole", story(3))
