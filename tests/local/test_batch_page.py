"""docs/batch.md is run as it stands: its files are written, its commands given, and they say what it shows."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hfgen.cli.batch_export import command as export
from hfgen.cli.batch_run import command as answer
from hfgen.cli.batch_status import command as status

PAGE = (Path(__file__).parents[2] / "docs" / "batch.md").read_text()
CONSOLES = [console.splitlines() for console in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)]
MARK = "-- next --"
ELSEWHERE = {"--array"}  # Slurm's


def block(language: str) -> str:
    return PAGE.partition(f"```{language}\n")[2].partition("```")[0]


def played(console: list[str]) -> list[tuple[str, list[str]]]:
    """Each command and what it is shown to say."""
    commands: list[tuple[str, list[str]]] = []
    for line in console:
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    return commands


def figureless(line: str) -> str:
    """Times and counts differ from run to run."""
    return re.sub(r"\d[\d.,]*", "#", line)


def worded(line: str) -> str:
    """A line as it stands on a terminal, which there is none here."""
    return str(json.loads(line)["notice"]) if line.startswith('{"notice"') else line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "countries.csv").write_text(block("csv"))
    (tmp_path / "requests.jsonl").write_text(block("jsonl"))
    (tmp_path / "place.schema.json").write_text(PAGE.partition("$ cat place.schema.json\n")[2].partition("$ ")[0])
    command = tmp_path / "bin" / "hfgen"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hfgen "$@"\n')
    command.chmod(0o700)
    return tmp_path


@pytest.mark.engine
@pytest.mark.usefixtures("weights")
@pytest.mark.timeout(300)
def test_the_commands_of_the_page_say_what_it_shows(folder: Path) -> None:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    for console in CONSOLES:
        commands = played(console)
        script = "".join(f"(exit $ended)\n{command}\nended=$?; echo '{MARK}'\n" for command, _ in commands)
        words = ["bash", "-c", f"exec 2>&1; ended=0\n{script}"]
        said = subprocess.run(
            words, check=True, capture_output=True, text=True, cwd=folder, env={**os.environ, "PATH": path}
        ).stdout.replace(str(folder), "/tmp/doc")
        for (command, shown), seen in zip(commands, said.split(f"{MARK}\n"), strict=False):
            lines = [worded(line) for line in seen.splitlines() if not line.startswith('{"total"')]
            expected = list(map(figureless, shown))
            assert list(map(figureless, lines))[: len(expected)] == expected, command


@pytest.mark.engine
@pytest.mark.usefixtures("weights")
def test_the_program_of_the_page_prints_a_line_for_each_row(tmp_path: Path) -> None:
    words = [sys.executable, "-c", block("python")]
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert sorted(done.stdout.splitlines()) == ["row-1 True", "row-2 True", "row-3 True"]


def test_every_flag_that_the_page_names_is_one() -> None:
    known = {name for command in (answer, export, status) for option in command.params for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) - ELSEWHERE <= known
