"""The guards of conftest.py guard: a fence that nobody ran into may have a hole."""

import asyncio
import os
from pathlib import Path

import pytest
from blockbuster import BlockingError

from hfgen.errors import ConnectionFailed
from hfgen.hub.client import get_model_data
from hfgen.providers.weights import check_gguf
from hfgen.transport.session import Session


async def test_a_blocking_call_of_ours_on_the_event_loop_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF" + bytes(20))

    with pytest.raises(BlockingError):
        check_gguf(file)

    await asyncio.to_thread(check_gguf, file)


async def test_a_blocking_call_of_the_test_itself_is_let_through(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("here")

    assert [entry.name for entry in os.scandir(tmp_path)] == ["note"]


@pytest.mark.parametrize("endpoint", [None, "https://huggingface.co"], ids=["as it is set", "as users have it"])
async def test_the_hub_is_out_of_reach(endpoint: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if endpoint:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)

    async with Session() as session:
        with pytest.raises(ConnectionFailed):
            await get_model_data(session, "gpt2")
