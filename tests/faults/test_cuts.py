"""A cut at every eleventh byte of a stream, and at every byte with HFGEN_EVERY_BYTE=1: the text stays exact."""

import os

import pytest

from fault_server import FaultServer, story, understood
from faults.own import PATHS, told
from hfgen import Session
from loopback import serving

_STEP = 1 if os.environ.get("HFGEN_EVERY_BYTE") else 11
_KEY = {"chat": "messages", "completions": "prompt", "tgi": "inputs"}


def _length(api: str, seed: int) -> int:
    prompt = f"Story {seed}."
    body = {_KEY[api]: [{"role": "user", "content": prompt}] if api == "chat" else prompt}
    return len(understood(PATHS[api], body, "vllm").stream())


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("api", PATHS)
async def test_a_cut_anywhere_is_healed(api: str, seed: int) -> None:
    wrong = []
    async with serving(FaultServer().talk) as server, Session() as session:
        for at in range(0, _length(api, seed), _STEP):
            ended, text = await told(server.url, f"cut@{at}/vllm/1", api, seed, session)
            if (ended, text) != ("whole", story(seed)):
                wrong.append(f"byte {at}: {ended}, {len(text)} of {len(story(seed))} characters")
    assert not wrong, f"{len(wrong)} cuts not healed, such as {wrong[:3]}"
