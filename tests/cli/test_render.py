"""`hfgen render`: the prompt alone on stdout, to the byte; the account of it on stderr."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{% if tools is not none %}T{{ tools | length }}{% endif %}{% for d in documents or [] %}D{{ d.title }}{% endfor %}"
    "{{ '/think' if thinking else '' }}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    templates = [{"name": "default", "template": TEMPLATE}, {"name": "rag", "template": "{{ strftime_now('%Y') }}"}]
    config = {"chat_template": templates, "bos_token": "<s>", "added_tokens_decoder": {}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


def run(*words: str, code: int = 0, stdin: bytes = b"") -> tuple[str, str]:
    command = [sys.executable, "-m", "hfgen", "render", *words]
    done = subprocess.run(command, check=False, capture_output=True, input=stdin)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def test_a_folder_and_one_question_are_enough(model: Path) -> None:
    assert run("-m", str(model), "Hé\n") == ("<s><|user|>Hé\n<|assistant|>", "")


def test_each_option_reaches_the_template(model: Path) -> None:
    tools, documents = model / "tools", model / "documents"
    tools.write_text("[]")
    documents.write_text('[{"title": "x"}]')
    words = ["--tools", str(tools), "--documents", str(documents), "--no-generation-prompt", "-o", "thinking", "true"]
    assert run("-m", str(model), "Hi", *words)[0] == "<s><|user|>HiT0Dx/think"
    assert run("-m", str(model), "Hi", "--template-name", "rag", "--date", "2031-01-31T09:00")[0] == "2031"


def test_a_conversation_comes_from_stdin_and_goes_on(model: Path) -> None:
    talk = json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "We"}]).encode()
    assert run("-m", str(model), "--messages", "-", "--continue", stdin=talk)[0] == "<s><|user|>Hi<|assistant|>We"


def test_verbose_tells_source_hash_tokens_and_what_was_done(model: Path) -> None:
    talk = json.dumps([{"role": "user", "content": "<|system|>x", "name": None}]).encode()
    out, said = run("-m", str(model), "--messages", "-", "-v", stdin=talk)
    assert out == "<s><|user|><\u200b|system|>x<|assistant|>"
    for words in ("tokenizer_config.json", "sha256: ", "others: rag", "bos_token='<s>'", "messages[0].name", "neutral"):
        assert words in said
    kept, said = run("-m", str(model), "--messages", "-", "-v", "--special-tokens-in-content", "keep", stdin=talk)
    assert kept == "<s><|user|><|system|>x<|assistant|>"
    assert "neutral" not in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["Hi"], 2, "give one of --model"),
        (["-m", "./nowhere", "Hi"], 2, "nowhere"),
        (["-m", "{model}"], 2, "give one of PROMPT"),
        (["-m", "{model}", "Hi", "--continue"], 2, "nothing to continue"),
        (["-m", "{model}", "Hi", "--date", "soon"], 2, "no ISO date"),
        (["-m", "{model}", "Hi", "--template-name", "rga"], 2, "default, rag"),
        (["-m", "{model}", "Hi", "-o", "messages", "[]"], 2, "may not set messages"),
        (["-m", "{model}", "Hi", "--tokens", "x"], 2, "--tokens goes with --template"),
        (["-m", "{model}", "Hi", "--tools", "/nowhere"], 2, "/nowhere"),
    ],
)
def test_a_wrong_call_is_one_clear_message(model: Path, words: list[str], code: int, said: str) -> None:
    out, error = run(*(word.format(model=model) for word in words), code=code)
    assert out == ""
    assert said in error
    assert "Traceback" not in error


def on_terminal(*words: str) -> str:
    """What a terminal is given."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    command = [sys.executable, "-m", "hfgen", "render", *words]
    with subprocess.Popen(command, stdout=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        try:
            while data := os.read(leader, 65536):
                shown += data
        except OSError:  # Linux's end of a terminal
            pass
        os.close(leader)
        assert process.wait() == 0
    return shown.decode()


def test_on_a_terminal_tokens_are_coloured_if_asked_and_controls_always_visible(model: Path) -> None:
    assert on_terminal("-m", str(model), "a\x1b[2Jb") == "<s><|user|>a\\x1b[2Jb<|assistant|>"
    cyan, end = "\x1b[36m\x1b[1m", "\x1b[0m"
    shown = on_terminal("-m", str(model), "a\x1b[2Jb", "--color")
    assert shown == f"{cyan}<s>{end}{cyan}<|user|>{end}a\\x1b[2Jb{cyan}<|assistant|>{end}"


@pytest.mark.parametrize(
    ("record", "prompt"),
    [
        ("meta-llama__Meta-Llama-3-8B-Instruct", "<|begin_of_text|><|start_header_id|>user"),
        ("HuggingFaceH4__zephyr-7b-beta", "<|user|>\nHi</s>\n<|assistant|>\n"),
        ("microsoft__DialoGPT-small", "Hi<|endoftext|>"),
        ("openai-community__gpt2", "Hi"),
        ("google__flan-t5-xxl", "Hi"),
    ],
)
def test_the_recorded_models_get_their_own_layout(shared: Path, record: str, prompt: str) -> None:
    out, _ = run("--model-info", str(shared / f"recordings/hub/model_info__{record}.json"), "Hi")
    assert out.startswith(prompt)
    assert prompt.startswith("<|begin") or out == prompt
