"""Server-sent events over bytes, by the rules of the WHATWG (HTML, 9.2.5 and 9.2.6).

Lines end with LF, CR or CRLF and with nothing else: a token may hold U+2028. A block that the end of the stream cuts
is discarded.
"""

from typing import Final

from hfgen.errors import ServerError
from hfgen.wire import Frame, Named

_LARGEST: Final = 16 * 2**20
_LONGEST_HEAD: Final = 2**16  # of blanks alone: who sends more of them is not read in the hope of an answer
_BOM: Final = b"\xef\xbb\xbf"
_FIELDS: Final = (b":", b"data:", b"event:", b"id:", b"retry:")


def looks_like_events(head: bytes, *, declared: bool) -> bool | None:
    """Whether a body that begins so is an event stream; None when that cannot be told yet.

    Args:
        head: The first bytes.
        declared: The header says that it is one: then only JSON and HTML, which servers send as errors under the same
            header, are not taken for one.
    """
    text = head.removeprefix(_BOM).lstrip(b" \t\r\n" if declared else b"\r\n")
    if not text or _BOM.startswith(text):
        return None if len(head) < _LONGEST_HEAD else declared
    if declared:
        return text[:1] not in (b"{", b"<")
    if text.startswith(_FIELDS):
        return True
    return None if any(field.startswith(text) for field in _FIELDS) else False


class EventDecoder:
    """Bytes in, events out; one object for each stream.

    A plain event comes out as the bytes of its data, one with a name of its own as `Named`.

    Attributes:
        last_event_id: What the stream last set with `id:`, committed with its event.
        retry: Milliseconds that the stream asked to wait before reconnecting, or None.
    """

    def __init__(self, largest: int = _LARGEST) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self._largest = largest
        self._line = bytearray()  # the line that is not ended yet; one buffer, for a list of tiny pieces is far larger
        self._swallow_lf = False
        self._at_start = True
        self._data = bytearray()  # of the event that is not ended yet, each line with its LF
        self._name = ""
        self._id: str | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """The events that this chunk completes.

        Raises:
            ServerError: A line or an event is larger than 16 MiB.
        """
        if self._at_start:
            chunk = self._without_bom(chunk)
        if self._swallow_lf and chunk:
            self._swallow_lf = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:  # it ends its line at once, also where its LF comes with the next chunk
            self._swallow_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._between_events():
            return self._fast(chunk)
        end = chunk.find(b"\n\n") + 2  # the event that is under way goes the long way, the rest need not
        frames = self._slow(chunk[:end] if end > 1 else chunk)
        if end > 1:
            frames += self._fast(chunk[end:])
        return frames

    def _between_events(self) -> bool:
        return not (self._line or self._data or self._name or self._id is not None)

    def _without_bom(self, chunk: bytes) -> bytes:
        chunk = self._begun(chunk)
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._line += chunk
            return b""
        self._at_start = False
        return chunk.removeprefix(_BOM)

    def _fast(self, chunk: bytes) -> list[Frame]:
        """Whole blocks of one `data:` line each, which is what servers send: all of them are cut out at once."""
        end = chunk.rfind(b"\n\n")
        if end < 0 or not chunk.startswith(b"data:"):
            return self._block_by_block(chunk)
        start = b"data: " if chunk.startswith(b"data: ") else b"data:"
        frames = chunk[len(start) : end].split(b"\n\n" + start)
        if b"\n" in b"".join(frames) or (start == b"data:" and b"\n\ndata: " in chunk):
            return self._block_by_block(chunk)  # there are other lines, or other spaces, than those between the blocks
        return [*frames, *self._slow(chunk[end + 2 :])] if end + 2 < len(chunk) else list(frames)

    def _block_by_block(self, chunk: bytes) -> list[Frame]:
        """Blocks of one `data:` line between others; what is more than that goes the long way."""
        blocks = chunk.split(b"\n\n")
        tail = blocks.pop()
        frames: list[Frame] = []
        for block in blocks:
            if block.startswith(b"data:") and b"\n" not in block:
                frames.append(block[6:] if block[5:6] == b" " else block[5:])
            elif block and (b"\n" in block or block[:1] != b":"):  # line ends and comments say nothing
                frames.extend(self._slow(block + b"\n\n"))
        if tail:
            frames.extend(self._slow(tail))
        return frames

    def _slow(self, chunk: bytes) -> list[Frame]:
        frames: list[Frame] = []
        start = 0
        while True:
            end = chunk.find(b"\n", start)
            if end < 0:
                break
            line = chunk[start:end]
            if self._line:
                line = self._begun(line)
            start = end + 1
            if line:
                self._field(line)
            else:
                self._dispatch(frames)
        if start < len(chunk):
            self._line += chunk[start:]
            self._bound(self._line)
        return frames

    def _begun(self, rest: bytes) -> bytes:
        """The line that was begun, with its rest."""
        self._line += rest
        line = bytes(self._line)
        self._line = bytearray()
        return line

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data += value
                self._data += b"\n"
                self._bound(self._data)
            case b"event":
                self._name = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value and value.isdigit():
                self.retry = int(value[:15])
            case b"error" if value.startswith(b"{"):  # what old llama.cpp writes in place of an event
                self._name, self._data = "error", bytearray(value + b"\n")
            case _:
                pass  # a comment, or a field that nobody defined

    def _dispatch(self, frames: list[Frame]) -> None:
        if self._id is not None:
            self.last_event_id, self._id = self._id, None
        name, self._name = self._name, ""
        if self._data:
            data = bytes(memoryview(self._data)[:-1])
            self._data = bytearray()
            frames.append(Named(name, data) if name not in ("", "message") else data)

    def _bound(self, held: bytearray) -> None:
        if len(held) > self._largest:
            held.clear()  # the error's traceback would keep it for as long as it lives
            raise ServerError(f"the server sent an event of more than {self._largest} bytes: it is no token stream")
