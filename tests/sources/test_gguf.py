"""The metadata of GGUF files: what is read, and that nothing in a file can do harm."""

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gguf_files import entry, gguf, text
from hfgen.errors import ModelNotSupportedError, UsageError
from hfgen.sources import facts_of_gguf

FULL: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.context_length": 4096,
    "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "x"],
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.padding_token_id": 99,
    "tokenizer.ggml.add_bos_token": True,
    "tokenizer.chat_template": "plain",
    "tokenizer.chat_template.tool_use": "tools",
}


def written(folder: Path, data: bytes) -> Path:
    file = folder / "model.gguf"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("version", [2, 3])
def test_the_facts_of_a_file_are_in_its_metadata(tmp_path: Path, version: int) -> None:
    facts = facts_of_gguf(written(tmp_path, gguf(FULL, version)))
    assert (facts.family, facts.context, facts.adds_bos) == ("llama", 4096, True)
    assert facts.special_tokens == {"bos_token": "<s>", "eos_token": "</s>"}, "a number beyond the vocabulary is none"
    assert facts.templates == {"default": "plain", "tool_use": "tools"}
    assert str(tmp_path) in facts.template_source


def test_a_file_without_a_template_says_so(tmp_path: Path) -> None:
    facts = facts_of_gguf(written(tmp_path, gguf({"general.architecture": "gpt2"})))
    assert not facts.templates
    assert facts.adds_bos is None
    assert "no template" in facts.template_source


def _claims(kind: int, body: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", kind) + body


def _nest(depth: int) -> bytes:
    return struct.pack("<IQ", 9, 1) * depth


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no GGUF"),
        (b"PK\x03\x04zip", "no GGUF"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<III", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version 9"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "keys"),
        (gguf(FULL)[:-3], "ends in the middle"),
        (_claims(8, struct.pack("<Q", 2**62)), "bytes"),
        (_claims(9, struct.pack("<IQ", 8, 2**40)), "too large"),
        (_claims(9, struct.pack("<IQ", 10, 2**61)), "ends in the middle"),
        (_claims(9, _nest(50)), "too deep"),
        (_claims(77, b""), "type 77"),
        (gguf({"tokenizer.ggml.bos_token_id": 0})[:-4] + b"", "ends in the middle"),
    ],
)
def test_what_is_damaged_hostile_or_another_format_is_refused_with_a_word(
    tmp_path: Path, data: bytes, said: str
) -> None:
    with pytest.raises(ModelNotSupportedError, match=said):
        facts_of_gguf(written(tmp_path, data))


def test_a_vocabulary_of_numbers_is_refused(tmp_path: Path) -> None:
    numbers = text("tokenizer.ggml.tokens") + struct.pack("<IIQI", 9, 4, 1, 5)
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + numbers + entry("tokenizer.ggml.bos_token_id", 0)
    with pytest.raises(ModelNotSupportedError, match="vocabulary"):
        facts_of_gguf(written(tmp_path, data))


def test_a_file_that_is_not_there_is_a_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.gguf"):
        facts_of_gguf(tmp_path / "nowhere.gguf")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, len(gguf(FULL))), changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255))))
def test_a_mangled_header_gives_facts_or_one_clear_error(
    tmp_path: Path, cut: int, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(gguf(FULL))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        facts_of_gguf(written(tmp_path, bytes(data[:cut])))
    except ModelNotSupportedError as error:
        assert "model.gguf" in error.message  # noqa: PT017 - both outcomes are right
