"""What every test stands on: no network but loopback, no settings of the person who runs them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

_FOREIGN: tuple[str, ...] = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_HUB_OFFLINE",
    "HF_INFERENCE_ENDPOINT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
)
_FOREIGN += ("ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
_FOREIGN += ("HFGEN_MODEL", "HFGEN_API_BASE", "HFGEN_API_KEY", "HFGEN_LOCAL_MODEL", "NO_COLOR", "FORCE_COLOR")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No token, no proxy; a Hub that nobody can reach."""
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "hf-home"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path_factory.getbasetemp() / "no-token"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def unblocked() -> Iterator[None]:
    """A call of hfgen's that would hold up the event loop is an error; what tests and pytest do is their own affair."""
    with blockbuster_ctx("hfgen"):
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The recordings of real servers, which only the authors have beside their checkout."""
    place = Path(os.environ.get("HFGEN_SHARED") or Path(__file__).parents[2] / "shared")
    if not place.is_dir():
        pytest.skip("the recordings of real servers are kept beside the authors' checkout, not in a clone")
    return place
