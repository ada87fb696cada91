"""Rows that ask for pictures: files beside the output, or bytes in the line."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hfgen import OutputFailed
from hfgen.batch import Result, pictures, run
from hfgen.batch.result import Account, Response
from loopback import Visit, serving
from painters import PACKED, PNG


async def painter(visit: Visit) -> None:
    if visit.path == "/v1/models":
        await visit.answer(b'{"data": [{"id": "flux", "owned_by": "me"}]}')
    elif visit.path == "/v1/images/generations":
        count = json.loads(visit.body).get("n") or 1
        await visit.answer(json.dumps({"created": 1, "data": [{"b64_json": PACKED}] * count}).encode())
    else:
        await visit.answer(b"{}", status="404 Not Found")


async def painted(out: Path | None, custom_id: str = "a fox", **body: Any) -> tuple[Result, dict[str, Any]]:
    rows: list[Any] = [
        {"custom_id": custom_id, "url": "/v1/images/generations", "body": {"prompt": "A fox in the snow.", **body}}
    ]
    async with serving(painter) as server:
        (result,) = [each async for each in run(rows, api_base=server.url, model="flux", out=out)]
    assert result.response is not None
    return result, json.loads(bytes(result.response.body))


async def test_pictures_lie_in_a_folder_beside_the_output_with_their_hash_and_size(tmp_path: Path) -> None:
    result, body = await painted(tmp_path / "answers.jsonl", n=2)

    assert result.ok
    assert len(body["data"]) == 2
    for picture in body["data"]:
        saved = tmp_path / picture["path"]
        assert saved.parent == tmp_path / "answers_files"
        assert saved.name.startswith("a-fox-")
        assert saved.read_bytes() == PNG
        assert picture["sha256"] == hashlib.sha256(PNG).hexdigest()
        assert picture["size"] == "1x1"
        assert "seed" in picture
    assert body["data"][0]["path"] != body["data"][1]["path"]


async def test_the_name_of_a_row_leads_out_of_no_folder(tmp_path: Path) -> None:
    _, body = await painted(tmp_path / "answers.jsonl", custom_id="../../etc/passwd")

    assert (tmp_path / body["data"][0]["path"]).resolve().parent == tmp_path / "answers_files"


async def test_without_an_output_the_bytes_are_in_the_result() -> None:
    _, body = await painted(None)

    assert base64.b64decode(body["data"][0]["b64_json"]) == PNG
    assert "path" not in body["data"][0]


async def test_a_folder_that_cannot_be_written_ends_the_job_and_not_the_row(tmp_path: Path) -> None:
    (tmp_path / "answers_files").write_text("no folder")

    with pytest.raises(OutputFailed, match="answers_files"):
        await painted(tmp_path / "answers.jsonl")

    assert (tmp_path / "answers.jsonl").read_bytes() == b""


async def test_pictures_that_another_machine_made_become_files_here(tmp_path: Path) -> None:
    picture = base64.b64encode(b"\x89PNG and so on").decode()
    said = {"b64_json": picture, "seed": 7, "media_type": "image/png", "size": "1x1"}
    body = msgspec.Raw(msgspec.json.encode({"created": 1, "data": [said, said]}))
    there = Result("id", "my row", Response(200, "", body), None, Account("digest", 1))

    here = await pictures.filed(there, tmp_path / "out_files")

    assert here.response is not None
    first, second = msgspec.json.decode(here.response.body)["data"]
    assert first["path"] != second["path"]
    assert (tmp_path / first["path"]).read_bytes() == b"\x89PNG and so on"
    assert first["seed"] == 7
    assert "b64_json" not in first
    assert await pictures.filed(there, None) is there
    assert await pictures.filed(here, tmp_path) is here
