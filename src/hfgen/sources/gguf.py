"""A GGUF file's metadata, within bounds: the keys in front of the tensors, of which nothing is read; blocking.

Source: ggml/docs/gguf.md. A file comes from a stranger, so each count and length in it is a claim to be checked.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from hfgen.errors import ModelNotSupportedError, UsageError
from hfgen.facts import ModelFacts

Value: TypeAlias = str | int | float | bool

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_STRING: Final = 8
_ARRAY: Final = 9
_NUMBERS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_MOST_KEYS: Final = 16_384
_MOST_ELEMENTS: Final = 4_194_304  # of arrays of strings, all together; the largest real vocabularies have 800 000
_LARGEST_TEXT: Final = 2**20
_LARGEST_KEY: Final = 65_535  # by the format itself
_DEEPEST: Final = 4
_VOCABULARY: Final = "tokenizer.ggml.tokens"
_TEMPLATE: Final = "tokenizer.chat_template"
# transformers' names and those of llama.cpp (gguf-py/gguf/constants.py; "seperator" is how it is spelt there).
_IDS: Final = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "sep_token": "tokenizer.ggml.seperator_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
    "cls_token": "tokenizer.ggml.cls_token_id",
    "mask_token": "tokenizer.ggml.mask_token_id",
}


def facts_of_gguf(path: Path) -> ModelFacts:
    """What the metadata of a GGUF file says.

    Raises:
        ModelNotSupportedError: It is no GGUF file, of a version or byte order that is not read, or a damaged one.
        UsageError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            reader = _Reader(file, path)
            values = dict(reader.values())
            return _facts(path, values, reader)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def _facts(path: Path, values: dict[str, Value], reader: "_Reader") -> ModelFacts:
    wanted = {name: values.get(key) for name, key in _IDS.items()}
    ids = {name: value for name, value in wanted.items() if isinstance(value, int) and not isinstance(value, bool)}
    tokens = reader.tokens(frozenset(ids.values()))
    family = values.get("general.architecture")
    context = values.get(f"{family}.context_length")
    adds_bos = values.get("tokenizer.ggml.add_bos_token")
    templates = {
        _name(key): text for key, text in values.items() if key.startswith(_TEMPLATE) and isinstance(text, str)
    }
    return ModelFacts(
        id=str(path),
        family=family if isinstance(family, str) else "",
        special_tokens={name: tokens[number] for name, number in ids.items() if tokens.get(number)},
        templates={name: text for name, text in templates.items() if name and text},
        context=context if isinstance(context, int) else None,
        template_source=f"the GGUF file {path} ({_TEMPLATE if templates else 'no template'})",
        adds_bos=adds_bos if isinstance(adds_bos, bool) else None,
    )


def _name(key: str) -> str:
    """`tokenizer.chat_template` is the default one, `tokenizer.chat_template.tool_use` has a name."""
    rest = key.removeprefix(_TEMPLATE)
    return rest.removeprefix(".") if rest else "default"


class _Reader:
    """Walks the keys once; strings that nobody wants are skipped where they lie."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._size = file.seek(0, 2)
        self._left = _MOST_ELEMENTS
        self._vocabulary: int | None = None
        file.seek(0)

    def values(self) -> Iterator[tuple[str, Value]]:
        """The keys whose values are single ones.

        Raises:
            ModelNotSupportedError: The file is none, or it is damaged.
        """
        for _ in range(self._head()):
            key = self._text(_LARGEST_KEY)
            kind: int = self._number("<I")
            if kind == _ARRAY:
                if key == _VOCABULARY:
                    self._vocabulary = self._file.tell()
                self._skip_array(0)
            elif kind == _STRING:
                yield key, self._text(_LARGEST_TEXT)
            else:
                yield key, self._number(self._format(kind))

    def tokens(self, wanted: frozenset[int]) -> dict[int, str]:
        """The texts of these entries of the vocabulary; one that it does not have is left out."""
        if self._vocabulary is None or not wanted:
            return {}
        self._file.seek(self._vocabulary)
        kind, count = self._number("<I"), self._number("<Q")
        if kind != _STRING:
            raise self._damaged("its vocabulary is no list of texts")
        found: dict[int, str] = {}
        for index in range(min(count, max(wanted) + 1)):
            if index in wanted:
                found[index] = self._text(_LARGEST_TEXT)
            else:
                self._skip(self._number("<Q"))
        return found

    def _head(self) -> int:
        """How many keys there are."""
        if self._file.read(4) != _MAGIC:
            raise ModelNotSupportedError(f"{self._path} is no GGUF file", hint="It does not begin with GGUF.")
        version: int = self._number("<I")
        if version and not version & 0xFFFF:
            raise ModelNotSupportedError(f"{self._path} is a big-endian GGUF file; only little-endian ones are read")
        if version not in _VERSIONS:
            raise ModelNotSupportedError(f"{self._path} is of GGUF version {version}; versions 2 and 3 are read")
        self._number("<Q")  # tensors
        keys: int = self._number("<Q")
        if keys > _MOST_KEYS:
            raise self._damaged(f"it claims to have {keys} keys")
        return keys

    def _skip_array(self, depth: int) -> None:
        kind, count = self._number("<I"), self._number("<Q")
        if kind not in (_STRING, _ARRAY):
            self._skip(count * struct.calcsize(self._format(kind)))
            return
        self._left -= count
        if self._left < 0 or depth == _DEEPEST:
            raise self._damaged("an array in it is too large or too deep")
        for _ in range(count):
            if kind == _STRING:
                self._skip(self._number("<Q"))
            else:
                self._skip_array(depth + 1)

    def _format(self, kind: int) -> str:
        if kind not in _NUMBERS:
            raise self._damaged(f"it has a value of the unknown type {kind}")
        return _NUMBERS[kind]

    def _text(self, most: int) -> str:
        length: int = self._number("<Q")
        if length > most:
            raise self._damaged(f"a text in it claims to have {length} bytes")
        return self._bytes(length).decode("utf-8", "replace")

    def _number(self, form: str) -> int:
        value: int = struct.unpack(form, self._bytes(struct.calcsize(form)))[0]
        return value

    def _bytes(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise self._damaged("it ends in the middle of its metadata")
        return data

    def _skip(self, length: int) -> None:
        # Not past the end: a seek there would succeed, and only a later read would notice.
        if length > self._size - self._file.tell():
            raise self._damaged("it ends in the middle of its metadata")
        self._file.seek(length, 1)

    def _damaged(self, how: str) -> ModelNotSupportedError:
        return ModelNotSupportedError(f"the GGUF file {self._path} is damaged: {how}", hint="Download it again.")
