"""An environment of its own for each client: they cannot share one."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROGRAMS: Final = Path(__file__).parent / "programs"


class Absent(Exception):
    """A client that cannot be had here, and why."""


@dataclass(frozen=True, slots=True)
class Client:
    """A program that drives the gateway, and what it needs.

    Attributes:
        program: In `programs/`.
        needs: Packages of PyPI, or of npm for JavaScript; none for what the machine has.
    """

    program: str
    needs: tuple[str, ...] = ()


CLIENTS: Final = {
    "openai": Client("openai_python.py", ("openai>=3",)),
    "huggingface_hub": Client("hub_client.py", ("huggingface_hub>=2", "pillow")),
    "llm": Client("llm_cli.py", ("llm",)),
    "langchain-openai": Client("langchain_chat.py", ("langchain-openai",)),
    "pydantic-ai": Client("pydantic_agents.py", ("pydantic-ai-slim[openai]",)),
    "smolagents": Client("smol_agents.py", ("smolagents[openai]",)),
    "npm openai": Client("openai_npm.mjs", ("openai",)),
    "curl": Client("curl.sh"),
    "schemathesis": Client("schema_fuzz.py", ("schemathesis>=4",)),
}


def command(client: Client, home: Path, patience: float) -> list[str]:
    """Install what a client needs, and say how its program is run.

    Args:
        client: Which one.
        home: Where its environment is made; one that is there already is used as it is.
        patience: Seconds that installing may take.

    Raises:
        Absent: It cannot be had.
    """
    program = PROGRAMS / client.program
    match program.suffix:
        case ".sh":
            _tool("curl")
            return ["sh", str(program)]
        case ".mjs":
            npm, node = _tool("npm"), _tool("node")
            if not (home / "node_modules").is_dir():
                home.mkdir(parents=True, exist_ok=True)
                _run([npm, "install", "--no-audit", "--no-fund", "--prefix", str(home), *client.needs], patience)
            shutil.copy(program, home)  # node looks for packages beside the program
            return [node, str(home / program.name)]
        case _:
            return [str(python(client.needs, home, patience)), str(program)]


def python(needs: tuple[str, ...], home: Path, patience: float) -> Path:
    """The interpreter of an environment with these packages; by uv where the machine has it, which is faster.

    Raises:
        Absent: They cannot be had.
    """
    interpreter = home / "bin" / "python"
    if interpreter.exists():
        return interpreter
    uv = shutil.which("uv")
    try:
        if uv:
            _run([uv, "venv", "--quiet", "--python", sys.executable, str(home)], patience)
            _run([uv, "pip", "install", "--quiet", "--python", str(interpreter), *needs], patience)
        else:
            _run([sys.executable, "-m", "venv", str(home)], patience)
            _run([str(interpreter), "-m", "pip", "install", "--quiet", *needs], patience)
    except Absent:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return interpreter


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Absent(f"this machine has no {name}")
    return found


def _run(words: list[str], patience: float) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=patience, env=environment)
    except subprocess.TimeoutExpired:
        raise Absent(f"not installed within {patience:.0f} s") from None
    except subprocess.CalledProcessError as failed:
        last = (failed.stderr.strip().splitlines() or ["no word"])[-1]
        raise Absent(f"does not install: {last[:200]}") from None
