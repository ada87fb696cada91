"""The `llm` command, by an entry in extra-openai-models.yaml."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from checking import ALL, GATEWAY, KEY, LOCAL, check, run

HOME = Path(tempfile.mkdtemp())
ENTRY = """\
- model_id: {id}
  model_name: {name}
  api_base: {base}/v1
  api_key_name: gateway
  supports_tools: true
  supports_schema: true
"""
MODELS = [("toy", "toy", GATEWAY), ("breaks", "breaks", GATEWAY), ("real", "local", LOCAL)]
(HOME / "extra-openai-models.yaml").write_text("".join(ENTRY.format(id=i, name=n, base=b) for i, n, b in MODELS))
(HOME / "keys.json").write_text(json.dumps({"gateway": KEY}))


def llm(*words, code=0):
    command = [str(Path(sys.executable).parent / "llm"), *words]
    environment = {**os.environ, "LLM_USER_PATH": str(HOME)}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env=environment, stdin=subprocess.DEVNULL
    )
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


@check
def a_prompt_is_answered_streamed_and_whole():
    assert llm("-m", "toy", "Say hello.").strip() == ALL
    assert llm("-m", "toy", "--no-stream", "Say hello.").strip() == ALL


@check
def the_usage_is_logged():
    llm("-m", "toy", "Say hello.")
    (row,) = json.loads(llm("logs", "-n", "1", "--json"))
    assert (row["response"], row["input_tokens"], row["output_tokens"]) == (ALL, 11, 6), row


@check
def a_conversation_goes_on():
    assert llm("-m", "toy", "-c", "And again.").strip() == ALL


@check
def a_schema_is_filled():
    assert json.loads(llm("-m", "toy", "--schema", "city, people int", "A city")) == {"city": "Oslo", "people": 7}


@check
def a_tool_is_called_and_its_result_answered():
    code = "def weather(city: str) -> str:\n    return city + ' is cold'\n"
    assert ALL in llm("-m", "toy", "--functions", code, "Weather?")


@check
def a_stream_that_breaks_fails():
    assert "out of memory" in llm("-m", "breaks", "Say hello.", code=1)


@check
def the_real_engine_answers():
    assert llm("-m", "real", "-o", "max_tokens", "8", "Say hello.").strip()


run()
