"""A model's folder, as transformers saves it (`save_pretrained`) or a download leaves it; blocking.

Which file wins: transformers 5.23, `PreTrainedTokenizerBase.from_pretrained` and `ProcessorMixin.get_processor_dict`.
"""

from pathlib import Path
from typing import Any, Final, cast

import msgspec

from hfgen.errors import ModelNotSupportedError, UsageError
from hfgen.facts import ModelFacts
from hfgen.tokenizer_config import special_tokens_of, templates_of

_LARGEST: Final = 16 * 2**20
_LARGEST_TOKENIZER: Final = 128 * 2**20  # tokenizer.json holds the whole vocabulary
_MOST_TEMPLATES: Final = 64


def facts_of_folder(folder: Path) -> ModelFacts:
    """What the files of a model's folder say.

    Raises:
        ModelNotSupportedError: It holds none of the files that make a model.
        UsageError: One of them cannot be read, is no JSON, or is too large.
    """
    config, tokenizer = _json(folder / "config.json"), _json(folder / "tokenizer_config.json")
    templates, file = _templates(folder, tokenizer)
    if not (config or tokenizer or templates):
        raise ModelNotSupportedError(
            f"{folder} holds no model: neither config.json nor tokenizer_config.json nor a chat template is there",
            hint="Give the folder that save_pretrained wrote, or a .gguf file.",
        )
    text = config.get("text_config")  # models that see keep the language model's own configuration there
    inner = cast("dict[str, Any]", text) if isinstance(text, dict) else {}
    context = config.get("max_position_embeddings") or inner.get("max_position_embeddings")
    tokens = special_tokens_of(_with_map(folder, tokenizer))
    return ModelFacts(
        id=str(folder),
        family=str(config.get("model_type") or ""),
        special_tokens=tokens,
        templates=templates,
        context=context if isinstance(context, int) else None,
        template_source=f"the folder {folder} ({file or 'no template'})",
        adds_bos=_adds_bos(folder, tokenizer, tokens.get("bos_token", "")),
    )


def _templates(folder: Path, tokenizer: dict[str, Any]) -> tuple[dict[str, str], str]:
    """The templates, and the file they are in: files of their own hide those of the JSON altogether."""
    legacy = templates_of(_json(folder / "chat_template.json").get("chat_template"))
    if legacy:
        return legacy, "chat_template.json"
    more = sorted(folder.glob("additional_chat_templates/*.jinja"))[:_MOST_TEMPLATES]
    files = {"default": folder / "chat_template.jinja"} | {path.stem: path for path in more}
    own = {name: _text(path, _LARGEST) for name, path in files.items()}
    found = {name: text for name, text in own.items() if text is not None}
    if found:
        return found, ", ".join(str(files[name].relative_to(folder)) for name in found)
    templates = templates_of(tokenizer.get("chat_template"))
    return templates, "tokenizer_config.json" if templates else ""


def _with_map(folder: Path, tokenizer: dict[str, Any]) -> dict[str, Any]:
    """`special_tokens_map.json` counts only for tokenizers of before `added_tokens_decoder`, and then it wins."""
    if "added_tokens_decoder" in tokenizer:
        return tokenizer
    return tokenizer | _json(folder / "special_tokens_map.json")


class _Special(msgspec.Struct):
    id: str = ""


class _Step(msgspec.Struct):
    special: _Special | None = msgspec.field(default=None, name="SpecialToken")


class _Processor(msgspec.Struct):
    """`single` is how one text is encoded; processors may stand in a sequence."""

    single: list[_Step] = []
    processors: list["_Processor"] = []


class _Tokenizer(msgspec.Struct):
    post_processor: _Processor | None = None


def _adds_bos(folder: Path, tokenizer: dict[str, Any], bos: str) -> bool | None:
    """`add_bos_token` says it; else the first step of tokenizer.json's post processor does."""
    said = tokenizer.get("add_bos_token")
    if isinstance(said, bool):
        return said
    data = _bytes(folder / "tokenizer.json", _LARGEST_TOKENIZER)
    if data is None or not bos:
        return None
    try:
        processor = msgspec.json.decode(data, type=_Tokenizer).post_processor
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    chain = [processor, *processor.processors] if processor else []
    firsts = [step.single[0].special for step in chain if step.single]
    return any(first is not None and first.id == bos for first in firsts)


def _json(path: Path) -> dict[str, Any]:
    data = _bytes(path, _LARGEST)
    if data is None:
        return {}
    try:
        value: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(path: Path, largest: int) -> str | None:
    data = _bytes(path, largest)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text: {error}") from error


def _bytes(path: Path, largest: int) -> bytes | None:
    """A file's bytes; None where there is no such file."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    if len(data) > largest:
        raise UsageError(f"{path} is larger than {largest // 2**20} MiB")
    return data
