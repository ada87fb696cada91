"""What is said, or left out, where a part of the gateway is not installed."""

import asyncio
import sys

import pytest

pytestmark = pytest.mark.anyio


async def without(package: str, program: str) -> tuple[int, str]:
    """Run a program to which a package cannot be imported; its exit code, and what it said."""
    source = f"import sys; sys.modules[{package!r}] = None\n{program}"
    command = (sys.executable, "-c", source)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "httptools", "prometheus_client"])
async def test_serve_says_what_to_install(package: str) -> None:
    code, said = await without(package, "from hfgen.cli import main; main(['serve', '--port', '0'])")
    assert code == 2
    assert package in said
    assert "pip install 'hfgen[gateway]'" in said
    assert "Traceback" not in said


async def test_shared_limits_say_what_to_install() -> None:
    call = "main(['serve', '--port', '0', '--shared-limits', 'redis://127.0.0.1'])"
    code, said = await without("redis", f"from hfgen.cli import main; {call}")
    assert code == 2
    assert "pip install 'hfgen[redis]'" in said


async def test_without_opentelemetry_nothing_is_traced_and_nothing_is_missed() -> None:
    program = "from hfgen.gateway.app import create_app; create_app(); print('served')"
    assert await without("opentelemetry", program) == (0, "served\n")
