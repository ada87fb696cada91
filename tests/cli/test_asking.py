"""What is asked, and what is said when it cannot be answered."""

import json
import subprocess
import sys

import pytest
from aiohttp import web

from command_line import Talker, hfgen, hfgen_bytes
from hub_server import serving_hub
from loopback import Visit, serving
from pictures import png

PNG = png(1024, 768)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        ("400 Bad Request", '{"error":"bad words"}', 1),
        ("401 Unauthorized", '{"error":"bad words"}', 4),
        ("402 Payment Required", '{"error":"bad words"}', 6),
        ("404 Not Found", '{"error":"bad words"}', 5),
        ("429 Too Many Requests", '{"error":"bad words"}', 6),
        ("500 Internal Server Error", '{"error":"bad words"}', 7),
    ],
)
async def test_each_error_class_has_its_exit_code_and_names_the_server(status: str, body: str, code: int) -> None:
    talker = Talker()

    async def talk(visit: Visit) -> None:
        if visit.method == "GET":
            await talker(visit)
        else:
            await visit.answer(body.encode(), status=status, more="Retry-After: 9999\r\n")

    async with serving(talk) as server:
        got, out, err = await hfgen("--json", "--api-base", server.url, "hi")
    line = json.loads(out.splitlines()[-1])
    assert (got, line["type"], line["exit_code"]) == (code, "error", code)
    assert "bad words" in err
    assert "OpenAI-like server" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "top_p", "abc"], "a number is expected"),
        (["-o", "mode", "foo"], "one of auto, chat, raw"),
        (["-o", "tools", "3"], "a JSON list"),
        (["-a", "/nowhere.png"], "No such file"),
        (["--max-tokens", "many"], "not a valid integer"),
        (["-o", "seed", "-1"], "--seed -1"),
        (["--api-base", "ftp://x"], "--api-base is ftp"),
    ],
)
async def test_a_wrong_value_is_said_in_plain_words(words: list[str], said: str) -> None:
    code, out, err = await hfgen(*words, "hi")
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("words", [("--max-tokens", "many"), ("--no-such-flag",), ("-o", "top_p", "abc"), ()])
async def test_wrong_usage_is_an_error_line_too_where_json_was_asked_for(words: tuple[str, ...]) -> None:
    code, out, err = await hfgen("--json", *words)
    line = json.loads(out)
    assert (code, line["type"], line["error"], line["exit_code"]) == (2, "error", "UsageError", 2)
    assert line["message"] in err


async def test_a_token_that_is_missing_is_said_at_once_in_flags() -> None:
    code, out, err = await hfgen("-m", "some/model", "hi")
    assert (code, out) == (4, "")
    assert len(err.splitlines()) == 2, "nothing was waited for"
    assert "-m local" in err
    assert "--api-base" in err
    assert "=" not in err


@pytest.mark.parametrize("refusing", ["/api/models/a/b", "/v1/chat/completions"])
async def test_a_wrong_token_is_exit_code_4_and_stays_secret(refusing: str) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"error": "Invalid credentials in Authorization header"}, status=401)

    async with serving_hub() as hub:
        hub.replies["/api/models/a/b"] = {
            "id": "a/b",
            "pipeline_tag": "text-generation",
            "config": {"tokenizer_config": {"chat_template": "x"}},
        }
        hub.replies[refusing] = refuse
        where = {"HF_ENDPOINT": hub.url, "HF_INFERENCE_ENDPOINT": hub.url}
        code, out, err = await hfgen("-m", "a/b", "-v", "hi", HF_TOKEN="hf_wrong_wrong_wrong", **where)
    assert (code, out) == (4, "")
    assert "Invalid credentials" in err
    assert "hf auth login" in err
    assert "wrong_wrong" not in err
    assert hub.asked[-1].path == refusing
    assert hub.asked[-1].headers["Authorization"] == "Bearer hf_wrong_wrong_wrong"


async def test_five_megabytes_are_piped_in_whole() -> None:
    talker = Talker("ok")
    text = "0123456789abcde\n" * (5 * 2**20 // 16)
    async with serving(talker) as server:
        code, out, _ = await hfgen("--api-base", server.url, "Summarise", stdin=text)
    assert (code, out) == (0, "ok\n")
    assert talker.asked[0]["messages"][0]["content"] == f"{text}Summarise"


@pytest.mark.engine
async def test_a_model_file_that_is_not_there_is_named() -> None:
    code, out, err = await hfgen("--model-file", "nope.gguf", "hi")
    assert (code, out) == (5, "")
    assert "cannot read the model file nope.gguf" in err
    assert "with --model-file" in err


@pytest.mark.parametrize(
    ("data", "said"), [(b"caf\xe9", "iconv"), (PNG, "-a FILE"), (b" \n", "no prompt"), (b"", "no prompt")]
)
async def test_standard_input_that_is_no_question_is_said_so(data: bytes, said: str) -> None:
    code, out, err = await hfgen_bytes(stdin=data)
    assert (code, out) == (2, b"")
    assert said in err.decode()


async def test_a_picture_goes_into_a_pipe_as_its_bytes() -> None:
    picture = png(1024, 768)

    async def talk(visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(b'"Ok"' if visit.path == "/health" else b"", status="200 OK")
        else:
            await visit.answer(picture, "image/png")

    async with serving(talk) as server:
        code, out, err = await hfgen_bytes("--api-base", server.url, "-o", "aspect_ratio", "1:1", "a fox")
    assert (code, out) == (0, picture)
    assert b"picture: image/png 1024x768" in err


async def test_verbose_says_which_server_and_how() -> None:
    async with serving(Talker("ok")) as server:
        _, out, err = await hfgen("-v", "--api-base", server.url, "hi")
    assert out == "ok\n"
    assert f"found OpenAI-like server at {server.url}" in err
    assert "openai_chat" in err


def test_an_unexpected_exception_is_one_line() -> None:
    program = "from hfgen.cli.failures import guarded; import sys; sys.exit(guarded(lambda: 1 / 0))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "HFGEN_DEBUG=1" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_model_is_shown_with_its_offers_and_what_is_unknown_is_no_0() -> None:
    async with serving_hub() as hub:
        hub.replies["/api/models/a/b"] = {"id": "a/b", "pipeline_tag": "text-generation"}
        offer = {"provider": "novita", "pricing": {"input": 0, "output": 2.5}, "supports_tools": True}
        hub.replies["/v1/models"] = {"data": [{"id": "a/b", "providers": [offer, {"provider": "groq"}]}]}
        hub.replies["/api/models"] = [{"id": "a/b", "likes": 7}]
        where = {"HF_ENDPOINT": hub.url, "HF_INFERENCE_ENDPOINT": hub.url}
        code, out, _ = await hfgen("models", "show", "a/b", **where)
        _, as_json, _ = await hfgen("models", "show", "a/b", "--json", **where)
        _, listed, _ = await hfgen("models", "b", **where)
    assert code == 0
    assert "novita\tlive\t?\t0\t2.5\t?\t?\tyes\t?" in out
    assert "groq\tlive\t?\t?\t?\t?\t?\t?\t?" in out
    assert json.loads(as_json)["offers"][1]["pricing"] is None
    assert listed == "a/b\t?\t?\t7\t?\n"
