"""Data flows one way: the contracts in pyproject.toml hold, and cover every part of the package."""

import subprocess
import sys
import tomllib
from pathlib import Path

import hfgen

ROOT = Path(__file__).parents[1]
PACKAGE = Path(hfgen.__file__).parent
FRONT_DOORS = {"hfgen.__init__", "hfgen.__main__"}  # they may import anything, and nothing of ours imports them


def test_the_layers_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    run = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


def test_no_module_stands_outside_the_layers() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {part.strip() for layer in layers for part in layer.split("|")}
    parts = {path.parent.name if path.name == "__init__.py" else path.stem for path in PACKAGE.glob("*/__init__.py")}
    parts |= {path.stem for path in PACKAGE.glob("*.py")}

    assert {f"hfgen.{part}" for part in parts} - FRONT_DOORS == named
