"""Chromium, where this machine has it."""

import importlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

from playground import lacking


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Any]:
    """One browser for all tests; each opens contexts of its own, which share nothing."""
    try:
        driver = importlib.import_module("playwright.async_api")
    except ImportError:
        lacking("playwright is not here: pip install 'hfgen[browser-tests]'")
    place = os.environ.get("HFGEN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not place:
        lacking("no Chromium here; Debian has it as the package chromium")
    async with driver.async_playwright() as started:
        # Chromium's own sandbox needs rights that root in a container lacks; only our own page is opened.
        browser = await started.chromium.launch(executable_path=place, args=["--no-sandbox"])
        yield browser
        await browser.close()
