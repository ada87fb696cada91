"""One run at a time for one output."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hfgen.batch.journal.lock import Holder, Lock, _is_still
from hfgen.errors import OutputFailed, UsageError
from journals import opened

HOLDER = """
import sys
from pathlib import Path
from hfgen.batch.journal.lock import Lock
lock = Lock.take(Path(sys.argv[1]))
print("taken", flush=True)
sys.stdin.read()
lock.release()
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def other_run(out: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"taken\n"
    return process


def test_a_second_run_is_told_which_process_writes(out: Path) -> None:
    with other_run(out) as process:
        with pytest.raises(
            UsageError, match=rf"process {process.pid} is writing to .*out\.jsonl\nWait for it or stop it"
        ):
            opened(out)
        assert not out.exists()
        assert Lock.holder(out) == Holder(process.pid, os.uname().nodename)
        process.communicate(b"")
    assert Lock.holder(out) is None
    opened(out).close()


def test_a_killed_run_is_in_nobodys_way(out: Path) -> None:
    with other_run(out) as process:
        process.send_signal(signal.SIGKILL)
    assert (out.parent / "out.jsonl.lock").exists()
    assert Lock.holder(out) is None
    opened(out).close()
    assert not (out.parent / "out.jsonl.lock").exists()


def test_of_many_runs_that_start_at_once_one_is_let_in_after_the_other(out: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from journals import opened
from hfgen.errors import UsageError
inside = Path(sys.argv[1] + ".inside")
for _ in range(40):
    try:
        with opened(Path(sys.argv[1])):
            inside.open("x").close()
            inside.unlink()
    except UsageError:
        pass
"""
    runs = [subprocess.Popen([sys.executable, "-c", program, str(out)]) for _ in range(4)]
    assert [run.wait() for run in runs] == [0, 0, 0, 0]


def test_the_lock_is_free_again_when_opening_fails(out: Path) -> None:
    out.write_text("not ours\n")
    for _ in range(2):
        with pytest.raises(UsageError, match="is not the output of a batch"):
            opened(out)
    assert {path.name for path in out.parent.iterdir()} == {"out.jsonl"}


def test_a_holder_on_another_machine_is_named_with_it() -> None:
    assert str(Holder(5, "far-away")) == "process 5 on far-away"
    assert str(Holder()) == "process (unknown)"


def test_a_lock_on_a_file_that_its_holder_removed_is_none(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl.lock"
    with file.open("w") as held:
        assert _is_still(file, held.fileno())
        file.unlink()
        assert not _is_still(file, held.fileno())
        file.touch()
        assert not _is_still(file, held.fileno())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="open descriptors are listed in /proc")
def test_waiting_for_a_lock_leaves_no_descriptor_open(out: Path) -> None:
    lock = Lock.take(out)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(UsageError, match=f"process {os.getpid()} is writing"):
        Lock.take(out)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    lock.release()


@pytest.mark.parametrize("ending", [".lock", ".damaged"])
def test_a_link_that_somebody_put_beside_the_output_leads_nowhere(out: Path, ending: str) -> None:
    opened(out).close()
    out.write_bytes(b"torn")
    precious = out.parent / "precious"
    precious.write_text("precious")
    (out.parent / f"out.jsonl{ending}").symlink_to(precious)
    with pytest.raises(OutputFailed, match="cannot be written"):
        opened(out)
    assert precious.read_text() == "precious"
    assert out.read_bytes() == b"torn"
