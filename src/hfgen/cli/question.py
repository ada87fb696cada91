"""What is asked: standard input, then the words on the command line."""

import sys
from collections.abc import Sequence

from hfgen.cli.terminal import is_terminal
from hfgen.errors import UsageError
from hfgen.media import sniff


def question(words: Sequence[str]) -> str:
    """What stdin and the words ask, stdin first, joined by a line end; "" where neither says anything.

    `-` among the words reads stdin even from a terminal.

    Raises:
        UsageError: One of them is no text.
    """
    said = " ".join(word for word in words if word != "-")
    try:
        said.encode()
    except UnicodeEncodeError as error:  # Python keeps what is no UTF-8 in an argument as lone surrogates
        raise UsageError("the prompt is no UTF-8 text", hint="Check the terminal's encoding.") from error
    piped = read_text() if "-" in words or not is_terminal(sys.stdin) else ""
    text = "\n".join(part for part in (piped.rstrip("\n"), said) if part)
    return text if text.strip() else ""


def read_text() -> str:
    """All of standard input; "" where there is none.

    Raises:
        UsageError: It is no UTF-8 text.
    """
    if sys.stdin is None:
        return ""
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        kind = sniff(data)
        hint = (
            f"It looks like a picture ({kind}): give it with -a FILE."
            if kind
            else "Convert it first, such as with: iconv -f WINDOWS-1252 -t UTF-8"
        )
        raise UsageError(
            f"standard input is no UTF-8 text (byte {data[error.start]:#04x} at {error.start})", hint=hint
        ) from error
