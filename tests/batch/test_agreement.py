"""Only the job that made an output may go on with it."""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hfgen.batch.journal.sidecar import Meta, Source
from hfgen.errors import UsageError
from hfgen.redaction import conceal
from journals import PARAMETERS, answer, job, opened, recorded


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def meta_of(out: Path) -> Meta:
    return msgspec.json.decode((out.parent / "out.jsonl.meta.json").read_bytes(), type=Meta)


def test_changed_parameters_are_refused_each_by_its_name_and_taken_by_force(out: Path) -> None:
    with opened(out) as journal:
        journal.append(answer(job("a")))
    first = meta_of(out)
    with pytest.raises(UsageError) as caught:
        opened(out, {"model": "m", "temperature": 0.7, "seed": 1, "system": "s" * 200})
    assert caught.value.message == (
        f"{out} was made with other parameters: temperature was 0.5 and is now 0.7; seed was not set and is now 1; "
        f'system was not set and is now "{"s" * 99}…'
    )
    assert "--resume force" in caught.value.hint
    assert meta_of(out) == first
    with opened(out, {"model": "m", "temperature": 0.7}, force=True) as journal:
        assert journal.done(job("a"))
        assert journal.notices == ("It goes on with other parameters: temperature was 0.5 and is now 0.7.",)
        assert [earlier.parameters for earlier in journal.meta.earlier] == [PARAMETERS]
        assert journal.meta.run != first.run
    with opened(out, {"model": "m", "temperature": 0.7}) as journal:
        assert journal.notices == ()


def test_a_job_keeps_its_name_when_it_goes_on(out: Path) -> None:
    opened(out).close()
    first = meta_of(out)
    opened(out).close()
    assert (meta_of(out).run, meta_of(out).started) == (first.run, first.started)
    assert len(first.run) == 16


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": (1, 2)}, {"a": [1, 2]}),
        ({"a": None}, {}),
        ({}, {"a": None}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}),
    ],
)
def test_what_means_the_same_is_no_change(out: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    opened(out, before).close()
    opened(out, after).close()


def test_no_secret_is_written_and_what_hides_one_is_the_same_again(out: Path) -> None:
    conceal("correct horse battery")
    parameters = {
        "api_key": "abc",
        "token": "plain words",
        "max_tokens": 7,
        "extra": {"authorization": "open sesame", "note": "say correct horse battery"},
        "api_base": "https://me:pass@host/v1",
        "tokens": ["hf_" + "x" * 30],
        "system": "A bearer of news, a cookie: crumbs.",
    }
    opened(out, parameters).close()
    text = (out.parent / "out.jsonl.meta.json").read_text()
    assert not [word for word in ("abc", "plain", "sesame", "horse", "pass@", "xxx") if word in text]
    assert '"max_tokens": 7' in text
    assert "A bearer of news, a cookie: crumbs." in text
    opened(out, parameters).close()


def test_a_file_that_no_batch_wrote_is_left_alone_even_by_force(out: Path) -> None:
    out.write_bytes(b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n')
    for force in (False, True):
        with pytest.raises(UsageError, match="is there and is not the output of a batch"):
            opened(out, force=force)
    assert [path.name for path in out.parent.iterdir()] == ["out.jsonl"]


def test_an_output_whose_sidecar_is_gone_is_taken_by_force_only(out: Path) -> None:
    out.write_bytes(answer(job("a")).line())
    with pytest.raises(UsageError, match=r"meta\.json is gone, so it is not known with which parameters"):
        opened(out)
    with opened(out, force=True) as journal:
        assert journal.done(job("a"))


@pytest.mark.parametrize("left", [b"", b"\0\0", b'{"run":"x","ver', b"[]", b'{"run":"\xff"}'])
def test_a_damaged_sidecar_is_told_and_made_anew(out: Path, left: bytes) -> None:
    with opened(out) as journal:
        journal.append(answer(job("a")))
    (out.parent / "out.jsonl.meta.json").write_bytes(left)
    with opened(out) as journal:
        assert journal.notices == (
            f"{out}.meta.json is damaged, so the parameters could not be compared with those of before.",
        )
        assert journal.done(job("a"))
    assert recorded(out) == {"a": job("a").digest}
    assert meta_of(out).parameters == PARAMETERS


def test_a_source_is_hashed_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b"x" * (3 * 2**20 + 1))
    assert Source.of_file(file) == Source(str(file), 3 * 2**20 + 1, hashlib.sha256(file.read_bytes()).hexdigest())
    for place, says in ((tmp_path / "other", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UsageError, match=f"the input .* cannot be read: {says}"):
            Source.of_file(place)


def test_a_pipe_is_not_read_for_its_hash(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert Source.of_file(tmp_path / "pipe") == Source(str(tmp_path / "pipe"))
