"""The promise of a batch, kept by the real command: every row recorded once, no call repeated but those under way.

HFGEN_PROOF_ROWS and HFGEN_PROOF_KILLS make more of it (20000 and 200), one test at a time: `-k stumbles`, `-k kills`.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_line import environment
from fault_server import story
from known_server import POISON, fate
from story_batch import AT_ONCE, StoryBatch, story_batch, told

ROWS = int(os.environ.get("HFGEN_PROOF_ROWS", "2000"))
KILLS = int(os.environ.get("HFGEN_PROOF_KILLS", "8"))
EACH = 80  # rows for each kill, so that each hits a job at work
SMALL = 120
SEED = int(os.environ.get("HFGEN_PROOF_SEED", random.randrange(2**32)))
TIMEOUT = 60 + KILLS * 10 + ROWS // 40


def poisoned(number: int) -> bool:
    return fate(number) == "poison"


@pytest.mark.timeout(TIMEOUT)
def test_rows_are_answered_rightly_by_a_server_that_stumbles(tmp_path: Path) -> None:
    with story_batch(tmp_path, ROWS, faults=True) as batch:
        code, said = batch.finish(at_once=64)
        asked, lines = batch.asked(), batch.recorded()

    assert (code, said) == (3, "")  # some rows have failed
    assert {name: told(line) for name, line in lines.items()} == {
        f"r{number}": "" if poisoned(number) else story(number) for number in batch.rows
    }
    refusals = [line["response"] for line in lines.values() if not told(line)]
    assert len(refusals) == sum(map(poisoned, batch.rows))
    assert {refusal["status_code"] for refusal in refusals} == {400}
    assert all(POISON in refusal["body"]["error"]["message"] for refusal in refusals)
    usual = {"poison": 1, "refused": 2, "cut": 2, "good": 1}
    assert asked == {number: usual[fate(number)] for number in batch.rows}


@pytest.mark.timeout(TIMEOUT)
def test_kills_at_any_moment_lose_no_row_and_repeat_only_those_under_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    with story_batch(tmp_path, KILLS * EACH) as batch:
        for _ in range(KILLS):
            killed(batch, chance)
        code, _ = batch.finish()
        asked, repeated = batch.asked(), batch.total() - len(batch.rows)

        assert code == 0, SEED
        batch.check()
        assert asked.keys() == set(batch.rows)
    with capsys.disabled():
        print(f"\n{KILLS} kills (seed {SEED}): {repeated} of {len(batch.rows)} calls were paid twice")
    assert repeated <= KILLS * AT_ONCE, SEED


def killed(batch: StoryBatch, chance: random.Random) -> None:
    """Kill a run: after some answers, or, one in five, at its start."""
    until = batch.total() + chance.randrange(1, EACH // 2) if chance.random() < 0.8 else 0
    with batch.begin() as process:
        batch.wait(process, until)
        time.sleep(chance.uniform(0, 0.02 if until else 0.5))
        assert process.poll() is None, "the job was over before it was killed"
        process.kill()
    before = batch.recorded() if whole(batch.out) else {}
    assert all(told(line) == story(int(name[1:])) for name, line in before.items())


def whole(file: Path) -> bool:
    return file.exists() and file.read_bytes().endswith(b"\n")


def test_a_torn_tail_is_mended_and_its_row_asked_again(tmp_path: Path) -> None:
    with story_batch(tmp_path, SMALL) as batch:
        for torn in (1, 7, 300, 2000):
            with batch.begin() as process:
                batch.wait(process, batch.total() + SMALL // 5)
                process.kill()
            os.truncate(batch.out, max(0, batch.out.stat().st_size - torn))
        code, said = batch.finish()
        assert code == 0
        assert f"The last line of {batch.out} was not whole" in said
        batch.check()


def test_of_two_runners_at_once_one_is_kept_out(tmp_path: Path) -> None:
    with story_batch(tmp_path, SMALL) as batch:
        with batch.begin() as one, batch.begin() as other:
            ends = sorted((process.wait(), process.communicate()[1]) for process in (one, other))
        assert batch.total() == SMALL
        batch.check()
    assert [code for code, _ in ends] == [0, 2]
    assert "is writing to" in ends[1][1]


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs")
def test_a_full_disk_stops_the_command_with_the_files_name_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        with story_batch(disk, 2 * SMALL) as batch:
            code, said = batch.finish()
            before = batch.recorded()
            assert code == 1
            assert f"{batch.out} cannot be written: No space left on device" in said
            assert 0 < len(before) < len(batch.rows)
            subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
            assert batch.finish() == (0, "")
            batch.check()
            assert batch.total() <= len(batch.rows) + 2 * AT_ONCE  # under way, or answered as the disk was full
            assert before.items() <= batch.recorded().items()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_limit_on_files_stops_the_command_as_a_full_disk_does(tmp_path: Path) -> None:
    with story_batch(tmp_path, SMALL) as batch:
        code, said = batch.finish(longest_file=30_000)
        assert code == 1
        assert f"{batch.out} cannot be written: File too large" in said
        assert 0 < len(batch.recorded()) < SMALL
        assert batch.finish() == (0, "")
        batch.check()


@pytest.mark.timeout(180)
def test_the_fault_driver_of_others_finds_nothing(shared: Path) -> None:
    """The authors' own driver: kills, torn tails, signals, two runners, a server that restarts, a bound on files."""
    command = f"{sys.executable} -m hfgen batch {{inp}} --out {{out}} --api-base {{url}} -m m --concurrency 8 -q"
    fields = ["--id-field", "custom_id", "--text-field", "response.body.choices.0.message.content"]
    words = [sys.executable, str(shared / "batch_faults.py"), "--cmd", command, *fields, "--kills", "3"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASS") == 7
