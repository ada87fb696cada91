"""The body of the Hugging Face task form: `{inputs, parameters}` (huggingface_hub inference/_generated/types)."""

from typing import Any

import msgspec


class Grammar(msgspec.Struct, frozen=True):
    """What the text looks like."""

    type: str
    value: str | dict[str, Any]


class TaskParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of text-generation and of text-to-image; null is the same as left out."""

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    strict: bool | None = None
    stop: list[str] | None = None
    stop_sequences: list[str] | None = None
    do_sample: bool | None = None
    details: bool | None = None
    return_full_text: bool | None = None
    grammar: Grammar | None = None
    adapter_id: str | None = None
    best_of: int | None = None
    decoder_input_details: bool | None = None
    top_n_tokens: int | None = None
    truncate: int | None = None
    typical_p: float | None = None
    watermark: bool | None = None
    width: int | None = None
    height: int | None = None
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None


class TaskRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A text to go on with, or what a picture shows."""

    inputs: str
    parameters: TaskParameters | None = None
    stream: bool | None = None
