"""`import hfgen` is cheap: what is heavy is loaded by those who use it."""

import subprocess
import sys

import pytest

HEAVY = frozenset({"aiohttp", "huggingface_hub", "jinja2", "rich", "click", "xllamacpp", "PIL"})


def loaded_by(program: str) -> set[str]:
    """The modules of a fresh interpreter after it ran `program`."""
    show = f"{program}; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", show], check=True, capture_output=True, text=True)
    return set(run.stdout.split())


def test_importing_hfgen_loads_nothing_heavy() -> None:
    assert loaded_by("import hfgen").isdisjoint(HEAVY | {"asyncio", "msgspec"})


@pytest.mark.parametrize("name", ["HfgenError", "Event", "Messages", "Session", "HuggingFaceInference"])
def test_a_public_name_loads_nothing_heavy_before_it_is_used(name: str) -> None:
    assert loaded_by(f"from hfgen import {name}").isdisjoint(HEAVY)
