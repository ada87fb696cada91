"""The command line as people use it: in a process of its own, against servers on loopback."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from command_line import Talker, chunk, hfgen
from loopback import Server, Visit, serving


@asynccontextmanager
async def talking(talker: Talker) -> AsyncIterator[Server]:
    async with serving(talker) as server:
        yield server


async def test_the_answer_is_on_stdout_and_all_else_on_stderr() -> None:
    talker = Talker("Hello", " you")
    async with talking(talker) as server:
        code, out, err = await hfgen("--api-base", server.url, "say", "hello", stdin="")
    assert (code, out) == (0, "Hello you\n")
    assert "a-model" in err
    assert "tokens/s" in err
    assert talker.asked[0]["messages"] == [{"role": "user", "content": "say hello"}]


async def test_what_is_piped_in_comes_before_the_prompt() -> None:
    talker = Talker("ok")
    async with talking(talker) as server:
        await hfgen("chat", "--api-base", server.url, "-s", "Be brief", "Summarise", stdin="a\nb\n")
    assert [message["content"] for message in talker.asked[0]["messages"]] == ["Be brief", "a\nb\nSummarise"]


async def test_options_reach_the_server_and_a_misspelt_one_is_named() -> None:
    talker = Talker("ok")
    async with talking(talker) as server:
        base = ("--api-base", server.url)
        await hfgen(
            *base, "-o", "top_p", "0.5", "-o", "stop", '["x"]', "--seed", "7", "--max-tokens", "9", "hi", stdin=""
        )
        code, out, err = await hfgen(*base, "-o", "topp", "1", "hi", stdin="")
    asked = talker.asked[0]
    assert (asked["top_p"], asked["stop"], asked["seed"], asked["max_tokens"]) == (0.5, ["x"], 7, 9)
    assert (code, out) == (2, "")
    assert "Did you mean top_p?" in err


async def test_json_is_one_event_a_line() -> None:
    async with talking(Talker("a", "b")) as server:
        code, out, err = await hfgen("--api-base", server.url, "--json", "hi", stdin="")
    events = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert events[:2] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [event["type"] for event in events[2:]] == ["usage", "finish"]


async def test_a_picture_goes_along_and_what_is_none_does_not(tmp_path: Path) -> None:
    picture = tmp_path / "x.dat"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n....")
    note = tmp_path / "note.png"
    note.write_text("no picture")
    talker = Talker("ok")
    async with talking(talker) as server:
        await hfgen("--api-base", server.url, "-a", str(picture), "what is it?", stdin="")
        code, _, err = await hfgen("--api-base", server.url, "-a", str(note), "what is it?", stdin="")
    parts = talker.asked[0]["messages"][0]["content"]
    assert parts[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert code == 2
    assert "is no picture" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-m", "some/model", "hi"], 4, "asks for a token"),
        (["--api-base", "http://127.0.0.1:9", "hi"], 7, "no connection"),
        (["--api-base", "ftp://x", "hi"], 2, "--api-base"),
        (["--temperature", "-1", "hi"], 2, "temperature"),
        (["chat"], 2, "there is no prompt"),
        (["chat", "--no-such-flag"], 2, "No such option"),
        (["render", "--messages", "/nowhere.json", "--model-info", "x"], 2, "/nowhere.json"),
        (["models", "pull", "gpt2"], 2, "only the local model"),
    ],
)
async def test_each_error_has_its_exit_code_and_no_traceback(words: list[str], code: int, said: str) -> None:
    got, out, err = await hfgen(*words, stdin="")
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


async def test_a_cut_answer_is_shown_and_is_exit_code_8() -> None:
    class Abrupt(Talker):
        async def __call__(self, visit: Visit) -> None:
            if visit.method == "GET":
                await super().__call__(visit)
                return
            await visit.begin_stream()
            await visit.event(chunk("half an"))
            visit.writer.transport.abort()

    async with talking(Abrupt()) as server:
        code, out, err = await hfgen("--api-base", server.url, "hi", stdin="")
    assert (code, out) == (8, "half an\n")
    assert "broke off" in err


def test_version_help_and_completion_need_no_network_and_load_little() -> None:
    code = "import sys; from hfgen.cli import group; group.main(['--help'], standalone_mode=False);"
    code += "print(sorted({'aiohttp', 'rich', 'jinja2', 'huggingface_hub'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    version = subprocess.run([sys.executable, "-m", "hfgen", "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == "hfgen 0.1.0\n"


def test_render_prints_the_exact_prompt_and_nothing_else(tmp_path: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text("{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}")
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"bos_token": "<s>", "eos_token": null}')
    chat = tmp_path / "chat.json"
    chat.write_text('[{"role": "user", "content": "h\u00e9"}, {"role": "assistant", "content": "Well,"}]')
    words = ["render", "--template", str(template), "--tokens", str(tokens), "--messages", str(chat)]
    done = subprocess.run([sys.executable, "-m", "hfgen", *words], capture_output=True, check=True)
    assert done.stdout.decode() == "<s>[user] h\u00e9\n[assistant] Well,\n"
    open_ended = subprocess.run([sys.executable, "-m", "hfgen", *words, "--continue"], capture_output=True, check=True)
    assert open_ended.stdout.decode() == "<s>[user] h\u00e9\n[assistant] Well,"


def test_the_local_model_says_what_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hfgen", "models", "show", "local"], capture_output=True, text=True, check=True
    )
    assert "135 million" in done.stdout
