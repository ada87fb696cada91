"""Where an output cannot be written, it is said with the file's name and what to do, and nothing whole is lost."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hfgen.batch.journal import status
from hfgen.batch.journal.journal import Journal
from hfgen.batch.journal.status import Status
from hfgen.errors import OutputFailed, UsageError
from journals import PARAMETERS, answer, edition, job, opened, recorded

JOBS = edition(0, 200)
LONG = "word " * 400


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if not sys.platform.startswith("linux") or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(place: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(place)], check=True)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 100,000 bytes, which is in the middle of a line."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(journal: Journal) -> OutputFailed:
    """Record rows until it fails; the error."""
    with pytest.raises(OutputFailed) as caught:
        for each in JOBS:
            if not journal.done(each):
                journal.append(answer(each, LONG))
    return caught.value


def check_stop_and_resumption(out: Path, room: Callable[[], None], says: str, hint: str) -> None:
    with opened(out) as journal:
        error = fill(journal)
        assert (error.message, error.exit_code) == (f"{out} cannot be written: {says}", 1)
        assert hint in error.hint
        done = recorded(out)
        assert 20 < len(done) == journal.answered < 100
        with pytest.raises(OutputFailed):
            journal.append(answer(JOBS[-1], LONG))
        assert recorded(out) == done
    room()
    with opened(out) as journal:
        assert journal.notices == ()
        for each in JOBS:
            if not journal.done(each):
                journal.append(answer(each, LONG))
    assert recorded(out) == {each.custom_id: each.digest for each in JOBS}
    assert done.items() <= recorded(out).items()


def test_a_full_disk_stops_the_run_and_the_same_command_goes_on(small_disk: Path) -> None:
    check_stop_and_resumption(
        small_disk / "out.jsonl", lambda: remount(small_disk, "size=8m"), "No space left on device", "Free space"
    )


def test_a_limit_of_file_sizes_stops_the_run_and_the_same_command_goes_on(tmp_path: Path, small_files: None) -> None:
    def room() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    check_stop_and_resumption(tmp_path / "out.jsonl", room, "File too large", "ulimit -f")


def test_where_there_is_no_room_to_rewrite_an_output_it_stays_as_it_is(small_disk: Path) -> None:
    out = small_disk / "out.jsonl"
    with opened(out) as journal:
        fill(journal)
    remount(small_disk, "size=160k")
    before = out.read_bytes()
    with opened(out) as journal:
        with pytest.raises(OutputFailed, match="No space left"):
            journal.survey([*edition(1, 10), *JOBS[10:]])
        journal.tell(Status("running", 1, "here", 0.0, 0.0, message="x" * 10**6))
    assert out.read_bytes() == before
    assert status.read(out) is None
    assert not list(small_disk.glob("*.new"))


def test_an_output_without_room_for_a_byte_cannot_be_begun(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096) == 4096:
            if os.statvfs(small_disk).f_bavail == 0:
                break
    with pytest.raises(OutputFailed, match=r"out\.jsonl cannot be written: No space left on device"):
        opened(small_disk / "out.jsonl")
    (small_disk / "filler").unlink()
    opened(small_disk / "out.jsonl").close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_in_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(OutputFailed) as caught:
        opened(tmp_path / "out.jsonl")
    assert caught.value.message.endswith(f"cannot be written: Permission denied ({tmp_path}/out.jsonl.lock)")
    assert caught.value.hint.endswith(f"allowed to write in {tmp_path}.")


def test_a_disk_that_is_for_reading_only_is_named(small_disk: Path) -> None:
    remount(small_disk, "ro")
    with pytest.raises(OutputFailed) as caught:
        opened(small_disk / "out.jsonl")
    assert caught.value.message.endswith(f"cannot be written: Read-only file system ({small_disk}/out.jsonl.lock)")
    assert caught.value.hint.endswith(f"allowed to write in {small_disk}.")


@pytest.mark.parametrize("place", ["/dev/full", "/dev/null", "fifo", "folder"])
def test_what_cannot_be_read_again_is_no_output(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="the output has to be a file"):
        opened(tmp_path / place)


def test_a_folder_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*/nowhere"):
        opened(tmp_path / "nowhere" / "out.jsonl")
    assert not list(tmp_path.iterdir())


def test_a_link_that_leads_round_in_a_circle_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OutputFailed, match="cannot be written"):
        opened(tmp_path / "a")


def test_a_full_disk_of_temporary_files_is_an_error_of_ours(small_disk: Path) -> None:
    program = """
from hfgen.batch.journal.index import Index
index = Index()
try:
    for row in range(1, 10**6):
        index.meet(f"{row:0500}", row)
except BaseException as error:
    print(type(error).__name__, error)
index.close()
"""
    environment = {**os.environ, "SQLITE_TMPDIR": str(small_disk)}
    words = [sys.executable, "-c", program]
    said = subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout
    assert said.startswith(
        "OutputFailed the temporary list of rows cannot be kept: database or disk is full\nFree space"
    )


def test_the_parameters_of_an_output_may_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        opened(tmp_path / "out.jsonl", PARAMETERS).close()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"out.jsonl": 0o644, "out.jsonl.meta.json": 0o600}


def test_a_line_of_ten_megabytes_is_recorded_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with opened(out) as journal:
        journal.append(answer(job("a"), "x" * 10**7))
        assert len(recorded(out)) == 1
