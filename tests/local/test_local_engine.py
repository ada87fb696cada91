import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hfgen.errors import ModelNotSupportedError
from hfgen.generation import Generation, Sampling
from hfgen.providers.local import (
    LOCAL_SYSTEM_PROMPT,
    LOCAL_TEMPERATURE,
    local_target,
    missing_cpu_features,
    stop_local_engines,
    with_local_defaults,
)
from hfgen.providers.weights import GGUF_NAME, LOCAL_MODEL
from hfgen.wire import Target

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engines")]

FRANCE = [
    {"role": "system", "content": LOCAL_SYSTEM_PROMPT},
    {"role": "user", "content": "What is the capital of France?"},
]


@pytest.fixture
async def target(weights: Path) -> Target:
    return await local_target(weights)


@pytest.fixture
async def http(target: Target) -> AsyncIterator[aiohttp.ClientSession]:
    # llama.cpp announces keep-alive and closes right after a stream: the next request must not run into that.
    fresh = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=fresh, headers={"Authorization": f"Bearer {target.token}"}) as session:
        yield session


def asked(messages: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    return {"messages": messages, "stream": True, "temperature": LOCAL_TEMPERATURE, **more}


async def pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[str]:
    async for line in answer.content:
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:])["choices"]:
                yield choice["delta"].get("content") or ""


async def text_of_stream(http: aiohttp.ClientSession, target: Target, body: dict[str, Any]) -> str:
    async with http.post(target.url("/chat/completions"), json=body) as answer:
        assert answer.status == 200
        return "".join([piece async for piece in pieces(answer)])


async def test_it_serves_the_small_model_on_loopback_under_a_key(target: Target) -> None:
    assert target.base.startswith("http://127.0.0.1:")
    assert target.base.endswith("/v1")
    assert (target.kind, target.model, target.name) == ("llamacpp", LOCAL_MODEL, "local llama.cpp")
    assert target.token is not None
    assert len(target.token) >= 32
    assert target.token not in repr(target)


async def test_it_answers_right(http: aiohttp.ClientSession, target: Target) -> None:
    assert "Paris" in await text_of_stream(http, target, asked(FRANCE, max_tokens=32))


async def test_all_calls_share_one_engine(weights: Path, target: Target) -> None:
    assert await asyncio.gather(*[local_target(weights) for _ in range(8)]) == [target] * 8


async def test_other_threads_and_event_loops_share_it(weights: Path, target: Target) -> None:
    seen: list[Target] = []
    threads = [threading.Thread(target=lambda: seen.append(asyncio.run(local_target(weights)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)

    assert seen == [target] * 3


async def test_nobody_without_the_key_is_served(target: Target) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        async with aiohttp.ClientSession(headers=headers) as stranger:
            for path in ("/chat/completions", "/completions"):
                async with stranger.post(target.url(path), json=asked(FRANCE)) as answer:
                    assert answer.status == 401


async def test_no_web_page_may_read_its_answers(http: aiohttp.ClientSession, target: Target) -> None:
    async with http.get(f"{target.origin}/health", headers={"Origin": "https://elsewhere.example"}) as answer:
        assert not answer.headers.get("Access-Control-Allow-Origin")
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_it_goes_by_its_name_and_gives_its_one_slot_the_models_whole_context(
    http: aiohttp.ClientSession, target: Target
) -> None:
    async with http.get(target.url("/models")) as answer:
        assert [model["id"] for model in (await answer.json())["data"]] == [LOCAL_MODEL]
    async with http.get(f"{target.origin}/props") as answer:
        props = await answer.json()
    assert (props["default_generation_settings"]["n_ctx"], props["total_slots"]) == (8192, 1)


async def test_a_stream_that_is_left_frees_its_slot_within_100_ms(http: aiohttp.ClientSession, target: Target) -> None:
    took = [await seconds_until_idle(http, target) for _ in range(3)]

    assert min(took) < 0.1, took  # the best of three: the machine may be busy, the engine may not


async def seconds_until_idle(http: aiohttp.ClientSession, target: Target) -> float:
    story = asked([{"role": "user", "content": "Tell me a very long story."}], max_tokens=2000, ignore_eos=True)
    async with http.post(target.url("/chat/completions"), json=story) as answer:
        seen = pieces(answer)
        while not await anext(seen):
            pass
        assert await busy_slots(http, target) == 1
        answer.close()
    left = time.perf_counter()
    while await busy_slots(http, target):
        assert time.perf_counter() - left < 10
    return time.perf_counter() - left


async def busy_slots(http: aiohttp.ClientSession, target: Target) -> int:
    async with http.get(f"{target.origin}/slots") as answer:
        return sum(slot["is_processing"] for slot in await answer.json())


async def test_a_stopped_engine_is_started_anew_with_another_key(weights: Path, target: Target) -> None:
    await asyncio.to_thread(stop_local_engines)

    again = await local_target(weights)

    assert again.token != target.token
    async with aiohttp.ClientSession() as http, http.get(f"{again.origin}/health") as answer:
        assert answer.status == 200


async def test_a_caller_who_gives_up_waiting_leaves_the_start_to_the_others(weights: Path) -> None:
    await asyncio.to_thread(stop_local_engines)
    impatient, patient = (asyncio.create_task(local_target(weights)) for _ in range(2))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(impatient, 0.02)

    assert (await patient).model == LOCAL_MODEL


async def test_any_gguf_file_goes_by_its_own_name(weights: Path, tmp_path: Path) -> None:
    blob, link = tmp_path / "b179c9", tmp_path / "my-model.gguf"  # as in the Hub's cache, where names are links
    blob.symlink_to(weights)
    link.symlink_to(blob)

    assert (await local_target(link)).model == "my-model"


async def test_without_a_file_it_is_the_model_that_comes_with_hfgen(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFGEN_HOME", str(tmp_path))
    (tmp_path / GGUF_NAME).symlink_to(weights)

    assert (await local_target()).model == LOCAL_MODEL


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotSupportedError, match=r"absent\.gguf"):
        await local_target(tmp_path / "absent.gguf")


async def test_the_environments_file_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"PK\x03\x04")
    monkeypatch.setenv("HFGEN_LOCAL_MODEL", str(tmp_path / "bad.gguf"))

    with pytest.raises(ModelNotSupportedError, match="not a GGUF file"):
        await local_target()


async def test_a_broken_gguf_file_is_refused_in_llamacpps_words_and_may_be_tried_again(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF\x03\0\0\0" + b"\1" * 64)

    for _ in range(2):
        with pytest.raises(ModelNotSupportedError, match=r"(?s)could not load .*broken\.gguf: .*number of tensors"):
            await local_target(broken)


async def test_without_the_extra_the_error_names_both_ways_out(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # what an import system without it answers

    with pytest.raises(ModelNotSupportedError, match="not installed") as raised:
        await local_target(weights)

    for way in ("pip install 'hfgen[local]'", "HF_TOKEN", "api_base"):
        assert way in raised.value.hint


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("raise ImportError('libgomp.so.1: cannot open shared object file')", "apt-get install libgomp1"),
        ("raise ImportError('undefined symbol')", "pip install 'hfgen[local]'"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "Haswell"),
    ],
)
async def test_an_engine_that_cannot_be_loaded_says_what_is_missing(
    module: str, hint: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "other.gguf").symlink_to(weights)  # a file whose engine does not run yet

    with pytest.raises(ModelNotSupportedError) as raised:
        await local_target(tmp_path / "other.gguf")

    assert hint in raised.value.hint


def test_the_processor_is_asked_before_it_meets_an_unknown_instruction() -> None:
    haswell = "processor\t: 0\nflags\t\t: fpu avx avx2 bmi1 bmi2 f16c fma\nbugs\t\t:\n"

    assert missing_cpu_features(haswell) == ()
    assert missing_cpu_features(haswell.replace(" avx2", "").replace(" fma", "")) == ("avx2", "fma")
    assert missing_cpu_features("nothing known of this kernel") == ()


def test_importing_it_does_not_import_the_engine() -> None:
    code = "import sys, hfgen.providers.local; print('xllamacpp' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.strip() == b"False"


def test_the_small_model_gets_a_system_prompt_and_a_low_temperature() -> None:
    made = with_local_defaults(Generation(model=LOCAL_MODEL, messages=({"role": "user", "content": "Hi"},)))

    assert [m["role"] for m in made.messages] == ["system", "user"]
    assert made.messages[0].get("content") == LOCAL_SYSTEM_PROMPT
    assert made.sampling == Sampling(temperature=LOCAL_TEMPERATURE)


def test_what_was_asked_for_wins() -> None:
    own = Generation(
        model=LOCAL_MODEL,
        messages=({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}),
        sampling=Sampling(temperature=0.7),
    )

    assert with_local_defaults(own) == own


def test_a_raw_prompt_stays_raw() -> None:
    made = with_local_defaults(Generation(model=LOCAL_MODEL, prompt="Once upon"))

    assert made.messages == ()
    assert made.prompt == "Once upon"


def test_a_file_of_the_users_own_keeps_its_own_defaults() -> None:
    other = Generation(model="gemma-3-270m-it", messages=({"role": "user", "content": "Hi"},))

    assert with_local_defaults(other) == other
