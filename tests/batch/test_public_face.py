"""`hfgen.batch` costs nothing before it is used, and its names stay what they are."""

import subprocess
import sys

import pytest

import hfgen.batch
from hfgen.batch.running import run

HEAVY = {"aiohttp", "jsonschema", "pyarrow", "sqlite3", "huggingface_hub", "jinja2", "msgspec", "asyncio"}


def test_importing_it_loads_nothing_heavy() -> None:
    shown = "import hfgen, hfgen.batch, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", shown], check=True, capture_output=True, text=True)

    assert HEAVY.isdisjoint(ran.stdout.split())


def test_run_is_a_function_however_it_is_imported() -> None:
    assert hfgen.batch.run is run


@pytest.mark.parametrize("name", hfgen.batch.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(hfgen.batch, name).__name__ == name
    assert name in dir(hfgen.batch)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'walk'"):
        hfgen.batch.walk  # noqa: B018 - reading it is the test
