"""The pictures of a row: files beside the output, or their bytes in its line."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from hfgen.errors import OutputFailed
from hfgen.events import Event, ImageResponse
from hfgen.saving import save_in, stem_of


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
    try:
        path = save_in(folder, stem_of(custom_id, picture.seed, media.data), media.extension, media.data)
    except OSError as error:
        raise OutputFailed(
            f"no picture can be written into {folder}: {error.strerror or error}",
            hint="Free space, or mend what the message says, and run the same command again.",
        ) from error
    return {"path": f"{folder.name}/{path.name}", **said}
