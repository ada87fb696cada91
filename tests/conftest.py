"""What every test stands on: no network but loopback, no settings of the person who runs them, nothing that blocks."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from hfgen.hub.client import MODEL_DATA
from hfgen.servers import tokenizer
from hfgen.servers.detect import KNOWN
from hfgen.transport.retry import BUDGET

_NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_FOREIGN = (
    *_PROXIES,
    *(name.lower() for name in _PROXIES),
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_OIDC_RESOURCE",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HFGEN_MODEL",
    "HFGEN_API_BASE",
    "HFGEN_API_KEY",
    "HFGEN_UPSTREAM_KEY",
    "HFGEN_SHARED_LIMITS",
    "HFGEN_LOCAL_MODEL",
    "HFGEN_DEBUG",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "HF_INFERENCE_ENDPOINT",
)
_HERE = {None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0"}
_resolve = socket.getaddrinfo


def pytest_configure() -> None:
    """What runs in the background ignores Ctrl-C, and under nohup SIGHUP: what a test starts would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # the suite lives on; a program begins with the default


def _only_this_machine(host: str | None, *args: Any, **kwargs: Any) -> list[Any]:
    if host not in _HERE:
        raise socket.gaierror(socket.EAI_NONAME, f"tests ask nobody but this machine, and not {host!r}")
    return _resolve(host, *args, **kwargs)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No token, no proxy; a Hub that nobody can reach, and no names of other machines."""
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "hf-home"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path_factory.getbasetemp() / "no-token"))
    monkeypatch.setenv("HF_ENDPOINT", _NOBODY)
    monkeypatch.setattr(socket, "getaddrinfo", _only_this_machine)


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Each test meets its servers for the first time: the port of one may be that of another test's before."""
    KNOWN.clear()
    tokenizer._ADDS_BOS.clear()
    MODEL_DATA.clear()
    BUDGET._left.clear()


@pytest.fixture(autouse=True)
def unblocked() -> Iterator[None]:
    """A call of ours that holds up the event loop is an error; what pytest and the tests do there is their affair."""
    with blockbuster_ctx("hfgen") as watch:
        # One line into the page cache: what a batch records is recorded before anybody is told of it.
        watch.functions["os.write"].can_block_in("hfgen/batch/journal/journal.py", "append")
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The recordings of real servers, which only the authors have beside their checkout."""
    place = Path(os.environ.get("HFGEN_SHARED") or Path(__file__).parents[2] / "shared")
    if not place.is_dir():
        pytest.skip("the recordings of real servers are kept beside the authors' checkout, not in a clone")
    return place
