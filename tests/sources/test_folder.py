"""A model's folder: which file wins, as in transformers 5.23."""

import json
from pathlib import Path
from typing import Any

import pytest

from hfgen.errors import ModelNotSupportedError, UsageError
from hfgen.sources import facts_of_folder, facts_of_path, is_path

LIST = [{"name": "default", "template": "json"}, {"name": "rag", "template": "json rag"}]


def folder_with(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


CONFIG, JINJA, TOOLS, LEGACY = (
    "tokenizer_config.json",
    "chat_template.jinja",
    "additional_chat_templates/tool_use.jinja",
    "chat_template.json",
)


@pytest.mark.parametrize(
    ("files", "templates", "source"),
    [
        ({CONFIG: {"chat_template": "json"}}, {"default": "json"}, CONFIG),
        ({CONFIG: {"chat_template": LIST}}, {"default": "json", "rag": "json rag"}, CONFIG),
        ({CONFIG: {"chat_template": LIST}, JINJA: "file"}, {"default": "file"}, JINJA),
        ({CONFIG: {"chat_template": LIST}, TOOLS: "tools"}, {"tool_use": "tools"}, TOOLS),
        ({JINJA: "file", TOOLS: "tools"}, {"default": "file", "tool_use": "tools"}, TOOLS),
        ({JINJA: "file", LEGACY: {"chat_template": "legacy"}}, {"default": "legacy"}, LEGACY),
        ({"config.json": {"model_type": "gpt2"}}, {}, "no template"),
    ],
)
def test_the_template_comes_from_the_file_that_wins(
    tmp_path: Path, files: dict[str, Any], templates: dict[str, str], source: str
) -> None:
    facts = facts_of_folder(folder_with(tmp_path, files))
    assert facts.templates == templates
    assert source in facts.template_source


MAP = {"bos_token": {"content": "<map>"}, "eos_token": "</map>"}


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"bos_token": "<s>", "eos_token": None}, {"bos_token": "<map>", "eos_token": "</map>"}),
        ({"bos_token": "<s>", "added_tokens_decoder": {}}, {"bos_token": "<s>"}),
        (
            {
                "bos_token": {"__type": "AddedToken", "content": "<s>"},
                "added_tokens_decoder": {"1": {"content": "<s>"}},
            },
            {"bos_token": "<s>"},
        ),
        ({"extra_special_tokens": {"image_token": "<image>"}, "added_tokens_decoder": {}}, {"image_token": "<image>"}),
        ({"extra_special_tokens": ["<x>"], "added_tokens_decoder": {}}, {}),
    ],
)
def test_the_old_map_of_tokens_counts_only_without_added_tokens_decoder(
    tmp_path: Path, config: dict[str, Any], tokens: dict[str, str]
) -> None:
    folder = folder_with(tmp_path, {CONFIG: config, "special_tokens_map.json": MAP})
    assert facts_of_folder(folder).special_tokens == tokens


STEP = {"SpecialToken": {"id": "<s>", "type_id": 0}}
TEXT = {"Sequence": {"id": "A", "type_id": 0}}


@pytest.mark.parametrize(
    ("config", "processor", "adds"),
    [
        ({"add_bos_token": True}, None, True),
        ({"add_bos_token": False}, {"type": "TemplateProcessing", "single": [STEP, TEXT]}, False),
        ({}, {"type": "TemplateProcessing", "single": [STEP, TEXT]}, True),
        ({}, {"type": "TemplateProcessing", "single": [TEXT, STEP]}, False),
        ({}, {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"single": [STEP, TEXT]}]}, True),
        ({}, {"type": "ByteLevel"}, False),
    ],
)
def test_the_tokenizer_says_whether_it_adds_the_bos(
    tmp_path: Path, config: dict[str, Any], processor: dict[str, Any] | None, adds: bool
) -> None:
    files = {CONFIG: {"bos_token": "<s>", **config}, "tokenizer.json": {"post_processor": processor}}
    assert facts_of_folder(folder_with(tmp_path, files)).adds_bos is adds


def test_family_and_context_come_from_config_json(tmp_path: Path) -> None:
    config = {"model_type": "llava", "text_config": {"max_position_embeddings": 2048}}
    facts = facts_of_path(str(folder_with(tmp_path, {"config.json": config})))
    assert (facts.family, facts.context) == ("llava", 2048)


def test_a_folder_without_a_model_and_a_file_that_is_no_json_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotSupportedError, match="holds no model"):
        facts_of_folder(tmp_path)
    with pytest.raises(UsageError, match=r"config\.json is no JSON"):
        facts_of_folder(folder_with(tmp_path, {"config.json": "{"}))


@pytest.mark.parametrize("model", ["./m", "../m", "/m", "~/m", ".", "..", "m.gguf", "owner/m.GGUF", "C:\\m", ".\\m"])
def test_a_path_is_told_by_its_form(model: str) -> None:
    assert is_path(model)


@pytest.mark.parametrize("model", ["", "gpt2", "owner/name", "owner/.name", "owner/name:together", "local"])
def test_a_name_is_never_taken_for_a_folder(model: str) -> None:
    assert not is_path(model)
