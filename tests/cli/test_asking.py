"""What is asked, and what is said when it cannot be answered."""

import json
import subprocess
import sys

import pytest

from command_line import Talker, hfgen, hfgen_bytes
from hub_server import serving_hub
from loopback import Visit, serving

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x04\x00\x00\x00\x03\x00\x08\x02\x00\x00\x00"


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
    ],
)
async def test_a_wrong_value_is_said_in_plain_words(words: list[str], said: str) -> None:
    code, out, err = await hfgen(*words, "hi")
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    ("data", "said"), [(b"caf\xe9", "iconv"), (PNG, "-a FILE"), (b" \n", "no prompt"), (b"", "no prompt")]
)
async def test_standard_input_that_is_no_question_is_said_so(data: bytes, said: str) -> None:
    code, out, err = await hfgen_bytes(stdin=data)
    assert (code, out) == (2, b"")
    assert said in err.decode()


async def test_a_picture_goes_into_a_pipe_as_its_bytes() -> None:
    async def talk(visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(b'"Ok"' if visit.path == "/health" else b"", status="200 OK")
        else:
            await visit.answer(PNG, "image/png")

    async with serving(talk) as server:
        code, out, err = await hfgen_bytes("--api-base", server.url, "-o", "aspect_ratio", "1:1", "a fox")
    assert (code, out) == (0, PNG)
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


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("hfgen mod", "models"), ("hfgen --api-b", "--api-base"), ("hfgen -m qwen-2.5-7", "qwen-2.5-7b")],
)
def test_bash_completes_commands_flags_and_models_offline(typed: str, offered: str) -> None:
    words = typed.split()
    program = f"""
        hfgen() {{ {sys.executable} -c 'from hfgen.cli import main; main()' "$@"; }}
        eval "$(_HFGEN_COMPLETE=bash_source {sys.executable} -c '
import sys; sys.argv[0] = "hfgen"
from hfgen.cli import main; main()')"
        COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}
        export COMP_WORDS COMP_CWORD
        COMP_WORDS="{typed}" COMP_CWORD={len(words) - 1} _HFGEN_COMPLETE=bash_complete {sys.executable} -c '
import sys; sys.argv[0] = "hfgen"
from hfgen.cli import main; main()'
    """
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert offered in done.stdout, done.stderr
