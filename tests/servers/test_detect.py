"""Which server is there: each is imitated by the bytes that the real one answers with."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hfgen.errors import ConnectionFailed
from hfgen.hub.memory import Memory
from hfgen.servers.address import Address, parse_api_base
from hfgen.servers.detect import KNOWN, ServerFacts, detect
from hfgen.transport.session import Session
from loopback import Server, Visit, serving

Known = Memory[tuple[str, str], ServerFacts]

# Recorded from llama.cpp (xllamacpp 2026.10), without the sampling defaults.
LLAMACPP = {
    "/props": {
        "default_generation_settings": {"params": {"seed": 4294967295, "temperature": 0.8}, "n_ctx": 2048},
        "total_slots": 2,
        "model_alias": "smollm2",
        "model_path": "/models/SmolLM2-135M-Instruct.Q4_1.gguf",
        "modalities": {"vision": False, "video": False, "audio": False},
        "chat_template": "{% for message in messages %}{{ message['content'] }}{% endfor %}",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "build_info": "b0-unknown",
        "is_sleeping": False,
    },
    "/v1/models": {
        "models": [{"name": "smollm2", "model": "smollm2", "type": "model"}],
        "object": "list",
        "data": [
            {
                "id": "smollm2",
                "object": "model",
                "created": 1795487117,
                "owned_by": "llamacpp",
                "meta": {"n_vocab": 49152, "n_ctx": 2048, "n_ctx_train": 8192},
            }
        ],
    },
    "/health": {"status": "ok"},
}
# TGI's docs/openapi.json, components.schemas.Info
TGI = {
    "/info": {
        "model_id": "bigscience/bloom-560m",
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": 128,
        "max_best_of": 2,
        "max_stop_sequences": 4,
        "max_input_tokens": 1024,
        "max_total_tokens": 2048,
        "validation_workers": 2,
        "max_client_batch_size": 32,
        "router": "text-generation-router",
        "version": "3.3.6",
        "docker_label": None,
    },
    "/health": b"",
    "/v1/models": {"object": "list", "data": [{"id": "bigscience/bloom-560m", "owned_by": "bigscience/bloom-560m"}]},
}
# Recorded from vLLM 0.32, shortened.
VLLM = {
    "/version": {"version": "0.32.0"},
    "/health": b"",
    "/v1/models": {
        "object": "list",
        "data": [
            {
                "id": "smol",
                "object": "model",
                "created": 1795334460,
                "owned_by": "vllm",
                "root": "smol-hf",
                "parent": None,
                "max_model_len": 2048,
                "permission": [{"id": "modelperm-95f0a775edf9015f", "object": "model_permission"}],
            }
        ],
    },
}
SGLANG = {"/v1/models": {"object": "list", "data": [{"id": "a/b", "owned_by": "sglang", "max_model_len": 4096}]}}
TOOLKIT = {"/health": b"Ok", "/": b"Ok"}
TRANSFORMERS = {"/v1/models": {"object": "list", "data": []}, "/health": {"status": "ok"}}
OPENAI = {"/v1/models": {"object": "list", "data": [{"id": "gpt-4o", "owned_by": "llmock"}, {"id": "gpt-4o-mini"}]}}
OLLAMA = {"/v1/models": {"object": "list", "data": None}, "/": b"Ollama is running"}
# text-embeddings-inference answers /info too, and generates nothing.
EMBEDDINGS = {"/info": {"model_id": "a/b", "max_input_length": 512, "max_concurrent_requests": 512, "version": "1.7"}}


class Imitation:
    """Answers GETs with what is laid down by path; anything else gets `otherwise`."""

    def __init__(
        self, answers: Mapping[str, Any], status: str = "404 Not Found", otherwise: bytes = b'{"detail":"Not Found"}'
    ) -> None:
        self.answers = answers
        self.status = status
        self.otherwise = otherwise
        self.key = ""

    async def __call__(self, visit: Visit) -> None:
        if self.key and visit.headers.get("authorization") != f"Bearer {self.key}":
            await visit.answer(b'{"error":{"message":"Invalid API Key","code":401}}', status="401 Unauthorized")
            return
        answer = self.answers.get(visit.path.removeprefix("/behind/a/proxy"))
        if answer is None:
            await visit.answer(self.otherwise, status=self.status)
        elif isinstance(answer, bytes):
            await visit.answer(answer, kind="text/plain")
        else:
            await visit.answer(json.dumps(answer).encode())


@asynccontextmanager
async def met(imitation: Imitation) -> AsyncIterator[tuple[Session, Server, Known]]:
    async with serving(imitation) as server, Session() as session:
        yield session, server, Memory(10, lambda _: 600.0)


async def found(imitation: Imitation, token: str | None = None) -> ServerFacts:
    async with met(imitation) as (session, server, known):
        return await detect(session, parse_api_base(server.url), token, known=known)


@pytest.mark.parametrize(
    ("answers", "facts", "name"),
    [
        (
            LLAMACPP,
            ServerFacts(
                "llamacpp",
                "b0-unknown",
                ("smollm2",),
                2048,
                "{% for message in messages %}{{ message['content'] }}{% endfor %}",
                "<|im_start|>",
                "<|im_end|>",
            ),
            "llama.cpp b0-unknown",
        ),
        (TGI, ServerFacts("tgi", "3.3.6", ("bigscience/bloom-560m",), 2048), "TGI 3.3.6"),
        (VLLM, ServerFacts("vllm", "0.32.0", ("smol",), 2048, root="smol-hf"), "vLLM 0.32.0"),
        (SGLANG, ServerFacts("sglang", "", ("a/b",), 4096), "SGLang"),
        (TOOLKIT, ServerFacts("toolkit"), "Hugging Face inference toolkit"),
        (TRANSFORMERS, ServerFacts("transformers"), "transformers serve"),
        (OPENAI, ServerFacts("openai", "", ("gpt-4o", "gpt-4o-mini")), "OpenAI-like server"),
        (OLLAMA, ServerFacts("openai"), "OpenAI-like server"),
        (EMBEDDINGS, ServerFacts("unknown"), "unknown server"),
        ({}, ServerFacts("unknown"), "unknown server"),
    ],
)
async def test_each_server_is_told_by_what_it_says(answers: Mapping[str, Any], facts: ServerFacts, name: str) -> None:
    assert await found(Imitation(answers)) == facts
    assert facts.name == name


async def test_only_gets_are_sent() -> None:
    async with met(Imitation(VLLM)) as (session, server, known):
        await detect(session, Address(server.url), known=known)
        assert {visit.method for visit in server.visits} == {"GET"}
        assert sorted(visit.path for visit in server.visits) == ["/health", "/info", "/props", "/v1/models", "/version"]


async def test_a_prefix_before_the_routes_is_kept() -> None:
    async with met(Imitation(TGI)) as (session, server, known):
        address = parse_api_base(f"{server.url}/behind/a/proxy/v1/chat/completions")
        assert (await detect(session, address, known=known)).kind == "tgi"
        assert all(visit.path.startswith("/behind/a/proxy/") for visit in server.visits)


@pytest.mark.parametrize("page", [b"<html>A playground for every path</html>", b"{}", b"[]", b"null", b'"Hello"', b""])
async def test_a_page_for_every_path_is_no_server_that_we_know(page: bytes) -> None:
    assert (await found(Imitation({}, status="200 OK", otherwise=page))).kind == "unknown"


async def test_a_page_beside_the_real_answers_does_not_mislead() -> None:
    imitation = Imitation(VLLM, status="200 OK", otherwise=b"<html>Playground</html>")
    assert (await found(imitation)).kind == "vllm"


async def test_a_server_that_wants_a_key_is_told_with_it() -> None:
    imitation = Imitation(LLAMACPP)
    imitation.key = "secret7"
    assert (await found(imitation, "secret7")).kind == "llamacpp"
    assert (await found(imitation)).kind == "unknown"


async def test_vllm_with_a_key_is_told_without_it_by_its_open_routes() -> None:
    class Guarded(Imitation):
        async def __call__(self, visit: Visit) -> None:
            self.key = "secret7" if visit.path.startswith("/v1") else ""
            await super().__call__(visit)

    assert await found(Guarded(VLLM)) == ServerFacts("vllm", "0.32.0")


async def test_llamacpp_behind_a_proxy_that_lets_only_v1_through() -> None:
    facts = await found(Imitation({"/v1/models": LLAMACPP["/v1/models"]}))
    assert facts == ServerFacts("llamacpp", models=("smollm2",), context=2048)


async def test_a_malformed_answer_is_as_good_as_none() -> None:
    broken = {
        **OPENAI,
        "/info": {"model_id": 3, "max_total_tokens": "many"},
        "/props": {"default_generation_settings": 1},
    }
    assert (await found(Imitation(broken))).kind == "openai"


async def test_a_dead_address_is_a_failed_connection() -> None:
    async with serving(Imitation({})) as server:
        address = Address(server.url)
    async with Session() as session:
        with pytest.raises(ConnectionFailed, match="no connection"):
            await detect(session, address, known=Memory(10, lambda _: 600.0))


async def test_what_speaks_no_http_is_a_failed_connection() -> None:
    async def banner(visit: Visit) -> None:
        await visit.say(b"SSH-2.0-OpenSSH_9.6\r\n")
        visit.writer.close()

    async with serving(banner) as server, Session() as session:
        with pytest.raises(ConnectionFailed):
            await detect(session, Address(server.url), known=Memory(10, lambda _: 600.0))


async def test_one_route_that_breaks_off_does_not_hide_the_server() -> None:
    class Flaky(Imitation):
        async def __call__(self, visit: Visit) -> None:
            if visit.path == "/health":
                visit.writer.close()
                return
            await super().__call__(visit)

    assert (await found(Flaky(VLLM))).kind == "vllm"


async def test_a_server_is_asked_once_by_each_who_asks() -> None:
    async with met(Imitation(VLLM)) as (session, server, known):
        address = Address(server.url)
        await asyncio.gather(*(detect(session, address, known=known) for _ in range(10)))
        await detect(session, Address(server.url, "/v1/completions", "completions"), known=known)
        assert len(server.visits) == 5
        await detect(session, address, "hf_mine", known=known)
        assert len(server.visits) == 10
        assert "hf_mine" not in repr(known.known())


async def test_the_token_goes_to_the_server_that_it_is_for() -> None:
    async with met(Imitation(VLLM)) as (session, server, known):
        await detect(session, Address(server.url), "hf_mine", known=known)
        assert {visit.headers.get("authorization") for visit in server.visits} == {"Bearer hf_mine"}


def test_what_could_not_be_told_is_soon_asked_again() -> None:
    assert KNOWN._lifetime(ServerFacts("unknown")) < 30 < KNOWN._lifetime(ServerFacts("tgi"))


@pytest.mark.parametrize("url", ["https://router.huggingface.co/v1", "https://router.huggingface.co/hf-inference"])
async def test_the_router_is_known_without_asking(url: str) -> None:
    async with Session() as session:
        assert await detect(session, parse_api_base(url)) == ServerFacts("router")


async def test_a_version_cannot_fill_the_screen_nor_steer_it() -> None:
    lines = "1.0\n\x1b" + "x" * 1000
    facts = await found(Imitation({**TGI, "/info": {**TGI["/info"], "version": lines}}))  # type: ignore[dict-item]
    assert len(facts.version) <= 40
    assert facts.version.isprintable()


@pytest.fixture
def recorded_models(shared: Path) -> dict[str, Any]:
    """The model lists of the real servers; a line is cut where the recording was."""
    heads = {}
    for name in ("llmock", "ts", "vllm", "xpyd"):
        line = (shared / f"recordings/probes/probe_{name}.txt").read_text().splitlines()[0]
        heads[name] = line.removeprefix("## models : [200, ")
    return heads


@pytest.mark.shared
async def test_the_recorded_model_lists_are_told_apart(recorded_models: dict[str, str]) -> None:
    whole = {name: json.loads(line[:-1]) for name, line in recorded_models.items() if line.endswith("}]")}
    assert set(whole) == {"ts", "xpyd"}
    served = await found(Imitation({"/v1/models": whole["ts"], "/health": {"status": "ok"}}))
    assert served.kind == "transformers"
    assert await found(Imitation({"/v1/models": whole["xpyd"]})) == ServerFacts(
        "openai", "", ("sim",), 131072, root="sim"
    )
    assert '"owned_by": "vllm"' in recorded_models["vllm"]


@pytest.fixture
def info_example(shared: Path) -> dict[str, Any]:
    schema = json.loads((shared / "recordings/tgi/openapi.json").read_text())["components"]["schemas"]["Info"]
    properties: dict[str, dict[str, Any]] = schema["properties"]
    return {
        name: int(one["example"]) if one["type"] == "integer" else one["example"]
        for name, one in properties.items()
        if "example" in one
    }


@pytest.mark.shared
async def test_the_info_of_tgis_own_specification_is_understood(info_example: dict[str, Any]) -> None:
    facts = await found(Imitation({"/info": info_example}))
    assert facts == ServerFacts("tgi", "0.5.0", ("bigscience/blomm-560m",), 2048)
