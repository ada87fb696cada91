"""Names for pictures, and files that never take the place of another."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies

from hfgen.picture_file import rewrite, stem_of, write_new


def test_a_name_has_words_seed_and_hash() -> None:
    assert stem_of("A red fox, in snow!", 7, b"x") == "a-red-fox-in-snow-7-2d711642"
    assert stem_of("Füchse über Köln", None, b"x") == "fuchse-uber-koln-2d711642"
    assert stem_of("狐狸", 0, b"x") == "picture-0-2d711642"


@given(strategies.text(), strategies.none() | strategies.integers(0, 2**32 - 1), strategies.binary())
def test_no_prompt_leads_out_of_its_folder_or_names_a_device(prompt: str, seed: int | None, data: bytes) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,47}(-\d+)?-[0-9a-f]{8}", stem_of(prompt, seed, data))


@pytest.mark.parametrize("prompt", ["../../etc/passwd", "a\0b", "CON", "x" * 3000, ".hidden", "C:\\windows", "a/b"])
def test_a_name_stays_short_and_harmless(prompt: str) -> None:
    stem = stem_of(prompt, 2**32 - 1, b"")
    assert len(stem) <= 80
    assert stem.upper() not in {"CON", "NUL", "AUX"}
    assert not set(stem) & set("/\\.:\0")


def test_a_long_prompt_is_cut_between_words() -> None:
    assert stem_of("word " * 50, None, b"x") == f"{'-'.join(['word'] * 9)}-2d711642"


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "fox.png"
    write_new(file, b"first")
    with pytest.raises(FileExistsError):
        write_new(file, b"second")
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("fox.png", b"first")]


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "fox.png").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "fox.png", b"x")
    assert not (tmp_path / "elsewhere").exists()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    program = """if True:
        import resource, signal, sys
        from pathlib import Path
        from hfgen.picture_file import write_new
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
        try:
            write_new(Path(sys.argv[1]), b"x" * 1000)
        except OSError as error:
            sys.exit(error.errno)
    """
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "fox.png")], check=False)
    assert done.returncode == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_ours_is_rewritten_in_one_step(tmp_path: Path) -> None:
    file = tmp_path / "fox.json"
    write_new(file, b"{}")
    rewrite(file, b'{"attempts": 2}')
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("fox.json", b'{"attempts": 2}')]
