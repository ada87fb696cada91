"""Parquet is read a few rows at a time; without the extra that is said."""

import os
import sys
import threading
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hfgen.batch.bad_row import BadRow
from hfgen.batch.rows.asking import Asking
from hfgen.batch.rows.input import Jobs, Reading
from hfgen.batch.rows.template import Template
from hfgen.errors import UsageError

HI = {"role": "user", "content": "Hi"}


@pytest.fixture
def parquet() -> Any:
    pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    return parquet


def file_of(parquet: Any, tmp_path: Path, row_group_size: int = 2, **columns: list[Any]) -> str:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    place = str(tmp_path / "in.parquet")
    parquet.write_table(pa.table(columns), place, row_group_size=row_group_size)
    return place


def test_rows_come_in_order_through_all_row_groups(parquet: Any, tmp_path: Path) -> None:
    place = file_of(parquet, tmp_path, prompt=[f"say {n}" for n in range(5)], id=[10, 11, 12, 13, 14])

    with Jobs(place) as jobs:
        assert [(job.custom_id, job.row) for job in jobs] == [("10", 1), ("11", 2), ("12", 3), ("13", 4), ("14", 5)]


def test_conversations_lose_the_fields_that_parquet_adds(parquet: Any, tmp_path: Path) -> None:
    place = file_of(parquet, tmp_path, messages=[[{**HI, "name": None}], [{**HI, "name": "Ada"}], None])

    with Jobs(place) as jobs:
        first, second, bad = jobs

    assert not isinstance(first, BadRow)
    assert not isinstance(second, BadRow)
    assert msgspec.json.decode(first.body) == {"messages": [HI]}
    assert msgspec.json.decode(second.body) == {"messages": [{**HI, "name": "Ada"}]}
    assert isinstance(bad, BadRow)
    assert "messages: it is null" in bad.message


def test_dates_and_numbers_stand_in_templates(parquet: Any, tmp_path: Path) -> None:
    place = file_of(parquet, tmp_path, day=[date(2026, 11, 25)], n=[1.5], parts=[["a", "b"]])

    with Jobs(place, Reading(asking=Asking(template=Template.parse("{day} {n} {parts}")))) as jobs:
        (job,) = jobs

    assert not isinstance(job, BadRow)
    assert msgspec.json.decode(job.body)["messages"][0]["content"] == '2026-11-25 1.5 ["a","b"]'


def test_two_bad_rows_have_digests_of_their_own(parquet: Any, tmp_path: Path) -> None:
    with Jobs(file_of(parquet, tmp_path, prompt=["Hi", None, None], label=[1, 2, 3])) as jobs:
        _, second, third = jobs

    assert second.digest != third.digest


def test_a_pipe_of_parquet_is_read_from_a_file_of_its_own(parquet: Any, tmp_path: Path) -> None:
    place = file_of(parquet, tmp_path, prompt=["Hi"])
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(Path(place).read_bytes()))
    writer.start()
    with Jobs(str(tmp_path / "pipe")) as jobs:
        assert [job.custom_id for job in jobs] == ["row-1"]
    writer.join()


def test_what_is_no_parquet_is_refused(parquet: Any, tmp_path: Path) -> None:
    (tmp_path / "in.parquet").write_bytes(b"PAR1 and nothing else")

    with pytest.raises(UsageError, match="no Parquet file"):
        Jobs(str(tmp_path / "in.parquet"))


def test_a_damaged_row_group_is_told_after_the_rows_before_it(parquet: Any, tmp_path: Path) -> None:
    place = Path(file_of(parquet, tmp_path, row_group_size=2048, prompt=[f"say {n}" for n in range(4096)]))
    data = bytearray(place.read_bytes())
    meta = parquet.read_metadata(place).row_group(1).column(0)
    start = meta.dictionary_page_offset or meta.data_page_offset
    data[start : start + meta.total_compressed_size] = b"\xff" * meta.total_compressed_size
    place.write_bytes(data)

    with Jobs(str(place)) as jobs, pytest.raises(UsageError, match="damaged after row"):
        list(jobs)


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "hfgen.batch.rows.arrow", raising=False)
    (tmp_path / "in.parquet").write_bytes(b"PAR1")

    with pytest.raises(UsageError, match=r"pip install 'hfgen\[tables\]'"):
        Jobs(str(tmp_path / "in.parquet"))
