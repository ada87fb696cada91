"""Keeping a picture: its file, what made it inside a PNG, and the same beside it as JSON."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec

from hfgen.errors import HfgenError, UsageError
from hfgen.events import FinishReason, ImageResponse
from hfgen.formats import dimensions
from hfgen.media import Media
from hfgen.png_text import with_texts
from hfgen.redaction import redact, without_tokens
from hfgen.saving import names_a_file, replace_own, save_in, stem_of
from hfgen.version import __version__

_OURS: Final = "hfgen"
_COMMON: Final = "parameters"
"""The keyword under which painting programs look for prompt and settings, in their usual form."""


class NotKept(HfgenError):
    """A picture came and could not be written."""


class Made(msgspec.Struct, frozen=True):
    """All that made a picture. A key is always there; null, or empty, is what nobody said."""

    prompt: str
    revised_prompt: str
    negative_prompt: str | None
    model: str
    provider: str
    server: str
    seed: int | None
    width: int
    height: int
    steps: int | None
    guidance: float | None
    scheduler: str | None
    extra: Mapping[str, Any]
    source_url: str
    media_type: str
    created: str
    hfgen: str


class Sidecar(Made, frozen=True):
    """What stands beside the picture: of the file, too."""

    file: str
    sha256: str
    attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture that is on the disk; `media` is what its file holds."""

    file: Path
    sidecar: Path | None
    record: Sidecar
    media: Media


@dataclass(frozen=True, slots=True)
class Keeper:
    """Keeps pictures in a folder.

    Attributes:
        folder: Where; it is made for the first picture.
        asked: Arguments of the call by name, as far as a picture does not tell them itself.
        sidecar: Whether a JSON file is written beside each picture.
        kept: What has been kept so far.
    """

    folder: Path
    asked: Mapping[str, Any]
    sidecar: bool = True
    kept: list[Kept] = field(default_factory=list[Kept])

    def keep(self, image: ImageResponse) -> Kept:
        """Write a picture at once, under a name that nothing has yet; blocking.

        Raises:
            NotKept: It cannot be written.
        """
        made = self._made(image)
        data = image.media.data
        if image.media.media_type == "image/png":
            data = with_texts(data, {_COMMON: _common(made), _OURS: msgspec.json.encode(made).decode()})
        stem = stem_of(without_tokens(image.prompt), made.seed, image.media.data)
        try:
            file = self.folder / save_in(self.folder, stem, image.media.extension, data).name
        except OSError as error:
            raise _not_kept(f"{self.folder / stem}{image.media.extension}", error) from error
        record = Sidecar(**msgspec.structs.asdict(made), file=file.name, sha256=hashlib.sha256(data).hexdigest())
        kept = Kept(file, self._beside(file, record) if self.sidecar else None, record, Media(data, made.media_type))
        self.kept.append(kept)
        return kept

    def finish(self, end: FinishReason) -> None:
        """Add to the sidecars what only the end tells; blocking.

        Raises:
            NotKept: One cannot be written.
        """
        for kept in self.kept:
            if kept.sidecar:
                try:
                    replace_own(kept.sidecar, _json(msgspec.structs.replace(kept.record, attempts=end.attempts)))
                except OSError as error:
                    raise _not_kept(f"{kept.sidecar} (how often was asked)", error) from error

    def _beside(self, file: Path, record: Sidecar) -> Path:
        try:
            return self.folder / save_in(self.folder, file.stem, ".json", _json(record)).name
        except OSError as error:
            raise _not_kept(f"{file} is kept, but {file.with_suffix('.json')}", error) from error

    def _made(self, image: ImageResponse) -> Made:
        width, height = (image.width, image.height) if image.width else dimensions(image.media) or (0, 0)
        asked = {name: value for name, value in self.asked.items() if name not in image.left_out}
        negative, scheduler = asked.get("negative_prompt"), asked.get("scheduler")
        return Made(
            prompt=_clean(image.prompt),
            revised_prompt=_clean(image.revised_prompt),
            negative_prompt=negative and _clean(negative),
            model=_clean(image.model),
            provider=_clean(image.provider),
            server=_clean(image.server),
            seed=image.seed,
            width=width,
            height=height,
            steps=asked.get("num_inference_steps"),
            guidance=asked.get("guidance_scale"),
            scheduler=scheduler and _clean(scheduler),
            extra=_harmless("", asked.get("extra_data") or {}),
            source_url=_place(image.source_url),
            media_type=image.media.media_type,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            hfgen=__version__,
        )


def folder_for(given: str) -> Path:
    """The folder for pictures, tried out before anything is asked for and paid; the first picture makes it.

    Raises:
        UsageError: It cannot be one.
    """
    folder = Path(given).expanduser()
    if names_a_file(folder):
        raise UsageError(
            f"--out {given}: a folder is expected, and this looks like a file",
            hint="hfgen names the files itself, so that none is overwritten, and prints their names.",
        )
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise UsageError(f"--out {given}: {error.strerror or error}", hint="Give a folder to write to.") from error
    return folder


def _common(made: Made) -> str:
    settings = {
        "Steps": made.steps,
        "Sampler": made.scheduler,
        "CFG scale": made.guidance,
        "Seed": made.seed,
        "Size": f"{made.width}x{made.height}" if made.width else None,
        "Model": made.model,
    }
    negative = [f"Negative prompt: {made.negative_prompt}"] if made.negative_prompt else []
    line = ", ".join(f"{name}: {value}" for name, value in settings.items() if value not in (None, ""))
    return "\n".join([made.prompt, *negative, line])


def _clean(text: str) -> str:
    """Text as JSON can hold it, and no token in it."""
    return without_tokens(text.encode("utf-8", "replace").decode())


def _harmless(name: str, value: Any) -> Any:
    """A value of `extra_data` without secrets; what a key such as `api_key` announces as one is one."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {_clean(str(key)): _harmless(str(key), inner) for key, inner in pairs}
    if isinstance(value, list):
        return [_harmless(name, inner) for inner in cast("list[object]", value)]
    return redact(f"{name}={_clean(value)}").removeprefix(f"{name}=") if isinstance(value, str) else value


def _place(url: str) -> str:
    """An address without what may be a signature or a password: no query, no user."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return ""
    return _clean(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl())


def _json(record: Sidecar) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def _not_kept(what: str, error: OSError) -> NotKept:
    return NotKept(f"{what} could not be written: {error.strerror or error}", hint="Choose another folder with --out.")
