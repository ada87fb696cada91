"""What each server is asked, option by option: what it takes, what it is spared, and what the caller is told of."""

import json
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, get_args

import pytest

from hfgen.dialects import (
    fal,
    hf_image,
    nscale,
    openai_chat,
    openai_completions,
    openai_images,
    replicate,
    tgi,
    together,
    toolkit,
    wavespeed,
    zai,
)
from hfgen.errors import UsageError
from hfgen.generation import Generation, Picture, Sampling
from hfgen.messages import Messages
from hfgen.sizes import Size, Wish
from hfgen.wire import ServerKind, Target

TALK: Messages = ({"role": "user", "content": "Hi"},)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
KINDS: Sequence[ServerKind] = get_args(ServerKind)
TEXT = [openai_chat, openai_completions, tgi, toolkit]
PAINT = [fal, hf_image, nscale, openai_images, replicate, together, wavespeed, zai]
EVERY_PICTURE = Picture(Size(512, 512), 2, "blur", 20, 7.5, "euler", Wish(width=512, height=512))
EVERY_SAMPLING = Sampling(
    max_tokens=7,
    temperature=0.5,
    seed=1,
    top_p=0.9,
    top_k=4,
    min_p=0.1,
    stop=("a",),
    repetition_penalty=1.1,
    presence_penalty=0.2,
    frequency_penalty=0.3,
    logprobs=2,
)
PICTURE_OPTIONS = {"n", "negative_prompt", "num_inference_steps", "guidance_scale", "scheduler", "width", "height"}


def sent(
    dialect: ModuleType, kind: ServerKind = "openai", *, sampling: Mapping[str, Any] | None = None, **asked: Any
) -> tuple[dict[str, Any], set[str]]:
    """The body that goes out, and what was left out of it."""
    asked = {"messages": TALK, "prompt": "Hi", "sampling": Sampling(**(sampling or {})), **asked}
    request = dialect.encode(Generation(**asked), Target("http://127.0.0.1:1", kind, "m"))
    return json.loads(request.body), set(request.dropped)


def carried(value: object) -> set[str]:
    """Every key in a body."""
    if isinstance(value, dict):
        return {str(key) for key in value} | {name for item in value.values() for name in carried(item)}
    return {name for item in value for name in carried(item)} if isinstance(value, list) else set()


# --- every dialect ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", [*TEXT, *PAINT], ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_option_is_swallowed_it_is_sent_or_named(dialect: ModuleType, kind: ServerKind) -> None:
    body, dropped = sent(
        dialect,
        kind,
        sampling={name: getattr(EVERY_SAMPLING, name) for name in EVERY_SAMPLING.__struct_fields__},
        picture=EVERY_PICTURE,
        messages=(),
        tools=(TOOL,),
        tool_choice="auto",
        response_format=FORMAT,
        template_kwargs={"enable_thinking": False},
    )
    spelt = {
        "repetition_penalty": {"repeat_penalty"},
        "logprobs": {"top_n_tokens"},
        "response_format": {"grammar"},
        "num_inference_steps": {"steps"},
        "n": {"num_images"},
        "width": {"size"},
        "height": {"size"},
    }
    options = {name for name in EVERY_SAMPLING.__struct_fields__ if name != "max_tokens"} | PICTURE_OPTIONS
    options |= {"tools", "tool_choice", "response_format", "chat_template_kwargs"}
    keys = carried(body) - ({"response_format"} if dialect in (nscale, together) else set())  # theirs is base64 or url
    seen = {name for name in options if ({name} | spelt.get(name, set())) & keys}
    by_hfgen = {"stop"} if dialect is toolkit else set()
    assert seen | dropped | by_hfgen == options
    assert not (seen & dropped)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", TEXT, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_longest_answer_is_always_said_and_nothing_is_sent_as_null(dialect: ModuleType, kind: ServerKind) -> None:
    body, dropped = sent(dialect, kind)
    assert body.get("max_tokens", body.get("parameters", {}).get("max_new_tokens")) == 1024
    assert None not in [*body.values(), *body.get("parameters", {}).values()]
    assert dropped == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", TEXT, ids=lambda module: module.__name__.rpartition(".")[2])
def test_temperature_0_is_greedy_everywhere(dialect: ModuleType, kind: ServerKind) -> None:
    body, dropped = sent(dialect, kind, sampling={"temperature": 0})
    parameters = body.get("parameters", body)
    assert parameters.get("temperature") == 0 or parameters["do_sample"] is False
    assert dropped == set()


@pytest.mark.parametrize(
    ("extra", "place"),
    [
        ({"x": {"y": [1, object()]}}, "extra_data.x.y[1] is a object"),
        ({"x": "a\ud83d"}, "extra_data.x holds half of a surrogate pair (U+D83D)"),
        ({("a", "b"): 1}, "extra_data"),
    ],
)
@pytest.mark.parametrize("dialect", [*TEXT, *PAINT], ids=lambda module: module.__name__.rpartition(".")[2])
def test_extra_data_that_is_no_json_is_refused_by_its_place(
    dialect: ModuleType, extra: Mapping[str, Any], place: str
) -> None:
    with pytest.raises(UsageError) as caught:
        sent(dialect, extra=extra)
    assert place in str(caught.value) or "JSON" in str(caught.value)


def test_a_value_that_holds_itself_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(UsageError, match="holds itself"):
        sent(openai_chat, extra={"x": circle})


def test_half_a_character_in_a_message_is_refused_by_its_place() -> None:
    talk = (*TALK, {"role": "user", "content": [{"type": "text", "text": "a\ud83d"}]})
    with pytest.raises(UsageError, match=r"messages\[1\]\.content\[0\]\.text holds half"):
        sent(openai_chat, messages=talk)
    with pytest.raises(UsageError, match="prompt holds half"):
        sent(tgi, prompt="\udc00")


@pytest.mark.parametrize("dialect", [tgi, toolkit, hf_image], ids=lambda module: module.__name__.rpartition(".")[2])
def test_extra_parameters_join_ours_and_may_not_replace_them(dialect: ModuleType) -> None:
    body, _ = sent(dialect, extra={"parameters": {"typical_p": 0.5}, "options": 1}, sampling={"seed": 1, "top_p": 0.5})
    assert body["parameters"]["typical_p"] == 0.5
    assert body["options"] == 1
    ours = next(iter(body["parameters"]))
    for wrong in ({"parameters": {ours: 1}}, {"inputs": "x"}, {"parameters": 5}):
        with pytest.raises(UsageError, match="extra_data"):
            sent(dialect, extra=wrong, sampling={"seed": 1, "top_p": 0.5})


# --- TGI, its own language -------------------------------------------------------------------------------------------


def test_tgi_samples_unless_told_to_be_greedy_so_that_a_seed_counts() -> None:
    body, dropped = sent(tgi, sampling={"seed": 3, "max_tokens": 5})
    assert body == {
        "inputs": "Hi",
        "stream": True,
        "parameters": {"do_sample": True, "details": True, "return_full_text": False, "max_new_tokens": 5, "seed": 3},
    }
    assert dropped == set()


@pytest.mark.parametrize(
    ("asked", "parameters"),
    [
        ({"temperature": 0}, {"do_sample": False}),
        ({"top_p": 0}, {"do_sample": False}),
        ({"top_p": 1}, {"do_sample": True}),
        ({"top_p": 0.5}, {"do_sample": True, "top_p": 0.5}),
        ({"temperature": 0.7}, {"do_sample": True, "temperature": 0.7}),
        ({"top_k": 0}, {"do_sample": True}),
        ({"logprobs": 0}, {"do_sample": True, "top_n_tokens": 1}),
        ({"logprobs": 3}, {"do_sample": True, "top_n_tokens": 3}),
    ],
)
def test_tgi_is_spared_what_it_refuses(asked: dict[str, Any], parameters: dict[str, Any]) -> None:
    body, dropped = sent(tgi, sampling=asked)
    base = {"details": True, "return_full_text": False, "max_new_tokens": 1024}
    assert body["parameters"] == base | parameters
    assert dropped == set()


@pytest.mark.parametrize("dialect", [tgi, openai_chat, openai_completions])
def test_tgi_gets_at_most_four_stop_strings_and_a_list(dialect: ModuleType) -> None:
    body, dropped = sent(dialect, "tgi", sampling={"stop": tuple("abcdef")})
    assert (body.get("parameters") or body)["stop"] == ["a", "b", "c", "d"]
    assert dropped == set()  # hfgen matches all of them itself


def test_tgi_is_told_that_it_lacks_an_option() -> None:
    asked = {"min_p": 0.1, "presence_penalty": 0.5, "repetition_penalty": 0}
    assert sent(tgi, sampling=asked)[1] == {"min_p", "presence_penalty", "repetition_penalty"}


def test_tgi_has_a_schema_as_its_grammar_and_no_json_without_one() -> None:
    body, dropped = sent(tgi, response_format=FORMAT)
    assert body["parameters"]["grammar"] == {"type": "json", "value": SCHEMA}
    assert dropped == set()
    own = {"type": "regex", "value": "a+"}
    assert sent(tgi, response_format=own)[0]["parameters"]["grammar"] == own
    body, dropped = sent(tgi, response_format={"type": "json_object"})
    assert "grammar" not in body["parameters"]
    assert dropped == {"response_format"}
    assert sent(tgi, response_format={"type": "text"})[1] == set()


def test_tools_are_in_a_rendered_prompt_and_lost_without_one() -> None:
    for dialect in (tgi, openai_completions, toolkit):
        assert sent(dialect, tools=(TOOL,))[1] == set()
        assert sent(dialect, tools=(TOOL,), messages=())[1] == {"tools"}


# --- TGI's chat route ------------------------------------------------------------------------------------------------


def test_tgis_chat_has_its_model_under_one_name_and_its_own_form_of_a_schema() -> None:
    body, dropped = sent(openai_chat, "tgi", response_format=FORMAT, sampling={"presence_penalty": 0.5})
    assert body["model"] == "tgi"
    assert body["response_format"] == {"type": "json_object", "value": SCHEMA}
    assert body["presence_penalty"] == 0.5  # the server maps it to its own penalty
    assert dropped == set()


@pytest.mark.parametrize(
    "asked",
    [
        {"response_format": {"type": "json_object"}},
        {"response_format": FORMAT, "tools": (TOOL,)},
    ],
)
def test_tgis_chat_is_spared_a_format_that_it_refuses(asked: dict[str, Any]) -> None:
    body, dropped = sent(openai_chat, "tgi", **asked)
    assert "response_format" not in body
    assert dropped == {"response_format"}


def test_tgis_chat_refuses_top_p_at_its_ends() -> None:
    assert "top_p" not in sent(openai_chat, "tgi", sampling={"top_p": 1})[0]
    body, dropped = sent(openai_chat, "tgi", sampling={"top_p": 0, "temperature": 0.9})
    assert (body["temperature"], "top_p" in body, dropped) == (0, False, set())


# --- the others of OpenAI's family -----------------------------------------------------------------------------------


def test_vllm_takes_the_engines_options_and_the_flags_to_continue() -> None:
    asked = {"top_k": 4, "min_p": 0.1, "repetition_penalty": 1.1}
    body, dropped = sent(openai_chat, "vllm", sampling=asked, continues=True)
    assert body.items() >= {**asked, "continue_final_message": True, "add_generation_prompt": False}.items()
    assert dropped == set()
    body, dropped = sent(openai_completions, "vllm", response_format=FORMAT)
    assert (body["response_format"], body["add_special_tokens"], dropped) == (FORMAT, False, set())


def test_llamacpp_has_a_name_of_its_own_for_the_penalty() -> None:
    body, dropped = sent(openai_chat, "llamacpp", sampling={"repetition_penalty": 1.1, "stop": tuple("abcdef")})
    assert (body["repeat_penalty"], "repetition_penalty" in body, dropped) == (1.1, False, set())
    assert body["stop"] == list("abcdef")


def test_transformers_serve_ignores_or_refuses_nearly_everything() -> None:
    asked = {"top_k": 4, "logprobs": 1, "presence_penalty": 0.5, "seed": 3, "stop": ("a",)}
    body, dropped = sent(
        openai_chat,
        "transformers",
        sampling=asked,
        response_format=FORMAT,
        template_kwargs={"a": 1},
        continues=True,
    )
    assert (body["seed"], body["stop"]) == (3, ["a"])
    assert dropped == {"top_k", "logprobs", "presence_penalty", "response_format", "chat_template_kwargs"}
    assert "continue_final_message" not in body


def test_log_probabilities_are_asked_for_in_the_form_of_the_route() -> None:
    assert sent(openai_chat, sampling={"logprobs": 0})[0]["logprobs"] is True
    body, _ = sent(openai_chat, sampling={"logprobs": 2})
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
    assert sent(openai_completions, sampling={"logprobs": 2})[0]["logprobs"] == 2


# --- Hugging Face's toolkit and pictures -----------------------------------------------------------------------------


def test_the_toolkit_gets_only_what_a_pipeline_takes() -> None:
    body, dropped = sent(toolkit, sampling={"seed": 1, "stop": ("a",), "top_p": 0.5, "max_tokens": 5})
    assert body == {
        "inputs": "Hi",
        "parameters": {"max_new_tokens": 5, "return_full_text": False, "do_sample": True, "top_p": 0.5},
    }
    assert dropped == {"seed"}


def test_the_toolkit_samples_only_where_something_says_how() -> None:
    assert "do_sample" not in sent(toolkit)[0]["parameters"]
    assert sent(toolkit, sampling={"top_k": 5})[0]["parameters"]["do_sample"] is True
    greedy = sent(toolkit, sampling={"temperature": 0, "top_p": 0.5})[0]["parameters"]
    assert (greedy["do_sample"], greedy.keys() & {"temperature", "top_p"}) == (False, set())


def test_a_picture_takes_its_own_options_and_names_those_of_text() -> None:
    body, dropped = sent(hf_image, picture=EVERY_PICTURE, sampling={"seed": 3, "temperature": 0.5, "stop": ("a",)})
    assert body == {
        "inputs": "Hi",
        "parameters": {
            "width": 512,
            "height": 512,
            "seed": 3,
            "negative_prompt": "blur",
            "num_inference_steps": 20,
            "guidance_scale": 7.5,
            "scheduler": "euler",
        },
    }
    assert dropped == {"n", "temperature", "stop"}


def test_the_toolkit_ignores_a_scheduler_so_the_caller_is_told() -> None:
    body, dropped = sent(hf_image, "toolkit", picture=Picture(scheduler="euler"))
    assert body == {"inputs": "Hi", "parameters": {}}
    assert dropped == {"scheduler"}
