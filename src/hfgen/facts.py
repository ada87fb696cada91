"""What the Hub knows about a model, typed: the only reader of its JSON record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from hfgen.tokenizer_config import TOKEN_NAMES, special_tokens_of, templates_of

TEXT_TASKS: Final = frozenset({"text-generation", "image-text-to-text", "text2text-generation", "conversational"})
IMAGE_TASKS: Final = frozenset({"text-to-image"})


@dataclass(frozen=True, slots=True)
class ProviderMapping:
    """One Inference Provider that serves the model, and the model's name there."""

    provider: str
    provider_id: str
    task: str
    status: str = "live"
    adapter_path: str = ""

    @property
    def live(self) -> bool:
        """Whether the provider's last health check passed; `staging` counts, as the Hub routes to it."""
        return self.status != "error"


class ModelFacts(msgspec.Struct, frozen=True):
    """A model's record: never guessed from its name.

    Attributes:
        id: `owner/name`, after any rename.
        task: The pipeline tag, such as `text-generation`, or "".
        family: `config.model_type`, such as `llama`, or "".
        special_tokens: By transformers' names; a token that is not set is absent.
        templates: Chat templates by name; `default` is the usual one.
        context: Tokens that the model can see, when the record says so.
        providers: Who serves the model, in the Hub's order.
        revision: The commit that the facts are of, or "".
        template_source: Where the templates, or the facts that stand in for them, come from, as a person would say it.
        adds_bos: Whether the model's tokenizer puts the BOS in front of a text by itself; None where nobody says.
        pipeline: Its pipeline's class in diffusers, such as `FluxPipeline`, or "".
        base_model: What it was trained from, as its record says, or "".
    """

    id: str
    task: str = ""
    family: str = ""
    author: str = ""
    library: str = ""
    special_tokens: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    templates: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    context: int | None = None
    providers: tuple[ProviderMapping, ...] = ()
    revision: str = ""
    gated: bool = False
    private: bool = False
    template_source: str = ""
    adds_bos: bool | None = None
    pipeline: str = ""
    base_model: str = ""

    @property
    def chats(self) -> bool:
        """Whether the model has a chat template or a provider serves it as one."""
        return bool(self.templates) or any(mapping.task == "conversational" for mapping in self.providers)

    @property
    def makes_text(self) -> bool:
        """Whether its task, where it is known, ends in text."""
        return self.task in TEXT_TASKS

    @property
    def makes_images(self) -> bool:
        """Whether its task is to make a picture of a text."""
        return self.task in IMAGE_TASKS

    @property
    def sees_images(self) -> bool:
        """Whether it takes pictures in a conversation."""
        return self.task == "image-text-to-text"

    @classmethod
    def from_hub(cls, record: Mapping[str, Any]) -> "ModelFacts":
        """Read the record of `GET /api/models/{id}`; whatever is missing or malformed there is simply not known."""
        config = _dict(record.get("config"))
        tokenizer = _dict(config.get("tokenizer_config"))
        gguf = _dict(record.get("gguf"))
        adds_bos = tokenizer.get("add_bos_token")
        context = gguf.get("context_length") or config.get("max_position_embeddings")
        return cls(
            id=_str(record.get("id") or record.get("modelId")),
            task=_str(record.get("pipeline_tag")),
            family=_str(config.get("model_type") or gguf.get("architecture")),
            author=_str(record.get("author")),
            library=_str(record.get("library_name")),
            special_tokens=_special_tokens(tokenizer, gguf),
            templates=_templates(config, tokenizer, gguf),
            context=context if isinstance(context, int) else None,
            providers=_providers(record.get("inferenceProviderMapping")),
            revision=_str(record.get("sha")),
            gated=bool(record.get("gated")),
            private=bool(record.get("private")),
            template_source=_source(record),
            adds_bos=adds_bos if isinstance(adds_bos, bool) else None,
            pipeline=_str(_dict(config.get("diffusers")).get("_class_name")) or _tagged(record, "diffusers:"),
            base_model=_tagged(record, "base_model:").rpartition(":")[2],
        )


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _tagged(record: Mapping[str, Any], prefix: str) -> str:
    """What follows the prefix in the first tag that begins with it."""
    tags: object = record.get("tags")
    named = (_str(tag) for tag in cast("list[object]", tags if isinstance(tags, list) else []))
    return next((tag.removeprefix(prefix) for tag in named if tag.startswith(prefix)), "")


def _source(record: Mapping[str, Any]) -> str:
    name, revision = _str(record.get("id") or record.get("modelId")), _str(record.get("sha"))[:12]
    return f"the Hub's record of {name}{f' at {revision}' if revision else ''}"


def _special_tokens(tokenizer: dict[str, Any], gguf: dict[str, Any]) -> dict[str, str]:
    of_gguf = {name: _str(gguf.get(name)) for name in TOKEN_NAMES}
    return {name: token for name, token in of_gguf.items() if token} | special_tokens_of(tokenizer)


def _templates(config: dict[str, Any], tokenizer: dict[str, Any], gguf: dict[str, Any]) -> dict[str, str]:
    """A file of its own (`chat_template.jinja`) wins altogether, as in transformers."""
    processor = _dict(config.get("processor_config"))
    places = (config.get("chat_template_jinja"), tokenizer.get("chat_template"), processor.get("chat_template"))
    found = (templates_of(place) for place in (*places, gguf.get("chat_template")))
    return next((templates for templates in found if templates), dict[str, str]())


def _providers(mapping: object) -> tuple[ProviderMapping, ...]:
    """Both forms that the Hub answers with: a dict by provider, or a list whose items name theirs."""
    if isinstance(mapping, dict):
        entries = [{**_dict(value), "provider": key} for key, value in cast("dict[str, object]", mapping).items()]
    else:
        entries = [_dict(entry) for entry in cast("list[object]", mapping if isinstance(mapping, list) else [])]
    return tuple(
        ProviderMapping(
            provider=_str(entry.get("provider")),
            provider_id=_str(entry.get("providerId")),
            task=_str(entry.get("task")),
            status=_str(entry.get("status")) or "live",
            adapter_path=_str(entry.get("adapterWeightsPath")),
        )
        for entry in entries
        if _str(entry.get("provider"))
    )
