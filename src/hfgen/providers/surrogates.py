"""Characters beyond U+FFFF that JSON cut into two escapes, and the network into two events."""


def paired(text: str) -> str:
    """The text with the two halves of each character joined; a half without its other stays."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
