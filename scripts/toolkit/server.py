"""The toolkit as a process of its own, on loopback."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

PATIENCE = 120.0  # seconds: most of it are the imports of torch and diffusers
APP = "huggingface_inference_toolkit.webservice_starlette:app"


@asynccontextmanager
async def toolkit(python: Path, log: Path, writer: Path | None = None) -> AsyncIterator[int]:
    """The port of a toolkit that paints with random weights, made for the occasion, or that writes.

    Args:
        python: That of the environment where the toolkit is installed.
        log: Where it writes what it does.
        writer: The folder of a text model; None paints.
    """
    with tempfile.TemporaryDirectory() as folder:
        alone = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        alone.pop("PYTHONPATH", None)
        if writer is None:
            make = [python, Path(__file__).with_name("model.py"), folder]
            await asyncio.to_thread(subprocess.run, make, env=alone, check=True, capture_output=True)
        port = _free_port()
        command = [python, "-m", "uvicorn", APP, "--host", "127.0.0.1", "--port", str(port)]
        task = "text-generation" if writer else "text-to-image"
        served = {**alone, "HF_MODEL_DIR": str(writer or folder), "HF_TASK": task}
        with log.open("wb") as lines:
            process = await asyncio.create_subprocess_exec(*command, env=served, stdout=lines, stderr=lines)
        try:
            await _ready(port, process)
            yield port
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def _ready(port: int, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        while process.returncode is None:
            try:
                async with session.get(f"http://127.0.0.1:{port}/health") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.2)
    sys.exit("the toolkit ended before it answered: see its log")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
