"""The Tab key in a shell."""

import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from command_line import Terminal, environment, terminal_of

BASH = ("bash", "--norc", "--noprofile", "-i")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with `hfgen` of this tree on it."""
    script = tmp_path / "bin" / "hfgen"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom hfgen.cli import main\n\nmain()\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"{script.parent}{os.pathsep}{os.environ['PATH']}"


@asynccontextmanager
async def bash(path: str) -> AsyncIterator[Terminal]:
    env = environment(PATH=path, PS1="ready> ", INPUTRC=os.devnull)
    async with terminal_of(*BASH, size=(160, 24), env=env) as shell:
        await shell.until("ready> ")
        shell.type('eval "$(_HFGEN_COMPLETE=bash_source hfgen)"\n')
        await shell.until("ready> ")
        yield shell
        shell.type("\x15exit\n")  # Ctrl-U: whatever stands on the line
        await shell.end()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("hfgen mod", "hfgen models "),
        ("hfgen models sh", "hfgen models show "),
        ("hfgen --api-b", "hfgen --api-base "),
        ("hfgen chat --no-st", "hfgen chat --no-stream "),
        ("hfgen -m qwen-3", "hfgen -m qwen-3-32b "),
        ("hfgen --model-file some-f", "hfgen --model-file some-file.gguf "),
        ("hfgen -a some-f", "hfgen -a some-file.gguf "),
    ],
)
async def test_bash_completes_at_the_press_of_tab(
    typed: str, completed: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some-file.gguf").touch()
    monkeypatch.chdir(tmp_path)
    async with bash(path) as shell:
        shell.type(f"{typed}\t")
        await shell.until(completed)


@pytest.mark.parametrize(("shell", "says"), [("bash", "complete "), ("zsh", "compdef"), ("fish", "complete ")])
def test_each_shell_has_its_script(shell: str, says: str, path: str) -> None:
    done = subprocess.run(
        ["hfgen"], env={**os.environ, "PATH": path, "_HFGEN_COMPLETE": f"{shell}_source"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert says in done.stdout
    assert "_HFGEN_COMPLETE=" in done.stdout
    assert done.stderr == ""
