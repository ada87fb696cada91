"""The pictures of a row: files beside the output, or their bytes in its line."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from hfgen.batch.result import Response, Result
from hfgen.errors import OutputFailed
from hfgen.events import Event, ImageResponse
from hfgen.media import Media
from hfgen.saving import save_in, stem_of

_INLINE: Final = b'"b64_json":"'


class _Body(msgspec.Struct):
    created: int
    data: list[dict[str, Any]]


async def worded(events: Sequence[Event], custom_id: str, folder: Path | None) -> bytes:
    """The body of `/v1/images/generations` (openai-python `images_response.py`).

    Args:
        events: Of the answer.
        custom_id: The row's name, whose plain letters the files' names begin with.
        folder: Where the files go; a picture's `path` is relative to the folder that holds it. None for `b64_json`.

    Raises:
        OutputFailed: A file cannot be written.
    """
    pictures = [event for event in events if isinstance(event, ImageResponse)]
    return await asyncio.to_thread(_body, pictures, custom_id, folder)


def _body(pictures: Sequence[ImageResponse], custom_id: str, folder: Path | None) -> bytes:
    data = [_kept(picture, custom_id, folder) for picture in pictures]
    return msgspec.json.encode({"created": int(time.time()), "data": data})


def _kept(picture: ImageResponse, custom_id: str, folder: Path | None) -> dict[str, Any]:
    media = picture.media
    said: dict[str, Any] = {
        "sha256": hashlib.sha256(media.data).hexdigest(),
        "seed": picture.seed,
        "size": f"{picture.width}x{picture.height}",
        "media_type": media.media_type,
        "revised_prompt": picture.revised_prompt or None,
        "model": picture.model,
    }
    if folder is None:
        return {"b64_json": base64.b64encode(media.data).decode("ascii"), **said}
    stem = stem_of(custom_id, picture.seed, media.data)
    return {"path": _written(folder, stem, media.extension, media.data), **said}


async def filed(result: Result, folder: Path | None) -> Result:
    """A result whose pictures, made on another machine, are files of this one.

    Args:
        result: Any; one without `b64_json` stays as it is.
        folder: As for `worded`.

    Raises:
        OutputFailed: A file cannot be written.
    """
    if folder is None or result.response is None or _INLINE not in bytes(result.response.body):
        return result
    return await asyncio.to_thread(_filed, result, result.response, folder)


def _filed(result: Result, response: Response, folder: Path) -> Result:
    body = msgspec.json.decode(response.body, type=_Body)
    data = [_on_disk(said, result.custom_id, folder) for said in body.data]
    written = msgspec.json.encode({"created": body.created, "data": data})
    return replace(result, response=replace(response, body=msgspec.Raw(written)))


def _on_disk(said: dict[str, Any], custom_id: str, folder: Path) -> dict[str, Any]:
    data = base64.b64decode(said.pop("b64_json"))
    extension = Media(data, said["media_type"]).extension
    return {"path": _written(folder, stem_of(custom_id, said["seed"], data), extension, data), **said}


def _written(folder: Path, stem: str, extension: str, data: bytes) -> str:
    try:
        path = save_in(folder, stem, extension, data)
    except OSError as error:
        raise OutputFailed(
            f"no picture can be written into {folder}: {error.strerror or error}",
            hint="Free space, or mend what the message says, and run the same command again.",
        ) from error
    return f"{folder.name}/{path.name}"
