"""Bytes with a type: sniffing, data URLs. Labels lie, so the type is always read from the bytes."""

import base64
import binascii
import re
from typing import Final

import msgspec

from hfgen.errors import UsageError

# Magic numbers: WHATWG MIME Sniffing, section 6.1 (images), the ones that models and providers produce.
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)
_DATA_URL: Final = re.compile(r"data:(?P<type>[\w.+/-]*)(?:;[\w=-]+)*?(?P<b64>;base64)?,(?P<data>.*)", re.DOTALL)
_EXTENSIONS: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/avif": ".avif",
}


def sniff(data: bytes) -> str:
    """The media type that the bytes themselves show, or "" when they are no picture that hfgen knows."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")


class Media(msgspec.Struct, frozen=True):
    """Some bytes and their media type."""

    data: bytes
    media_type: str

    @property
    def extension(self) -> str:
        """The usual file ending with its dot, ".bin" for a type without one."""
        return _EXTENSIONS.get(self.media_type, ".bin")

    def data_url(self) -> str:
        """The bytes as an RFC 2397 URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"

    @classmethod
    def from_data_url(cls, url: str) -> "Media":
        """Decode a base64 data URL.

        Raises:
            UsageError: It is no base64 data URL, or its base64 is broken.
        """
        match = _DATA_URL.fullmatch(url)
        if match is None or not match["b64"]:
            raise UsageError(f"not a base64 data URL: {url[:40]!r}…")
        try:
            data = base64.b64decode(match["data"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise UsageError(f"broken base64 in a data URL: {error}") from error
        return cls(data=data, media_type=sniff(data) or match["type"] or "application/octet-stream")
