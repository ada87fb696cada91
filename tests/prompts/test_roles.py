"""A developer's words reach the model: as the system's, unless the template or the server tells the two apart."""

import json

import pytest

from hfgen.dialects import openai_chat
from hfgen.facts import ModelFacts
from hfgen.generation import Generation
from hfgen.messages import Message, Messages
from hfgen.prompts.inputs import get_inputs, render
from hfgen.wire import ServerKind, Target

SYSTEM = "{% for m in messages %}{% if m.role == 'system' %}[{{ m.content }}]{% else %}{{ m.content }}{% endif %}"
BOTH = "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{# developer #}"
SAID: Messages = ({"role": "developer", "content": "Be kind"}, {"role": "user", "content": "Hi"})


def facts(template: str) -> ModelFacts:
    return ModelFacts(id="me/m", templates={"default": template})


def test_a_template_that_knows_no_developer_gets_a_system() -> None:
    template = SYSTEM + "{% endfor %}"
    assert render(Generation(messages=SAID), facts(template)) == "[Be kind]Hi"
    assert get_inputs(SAID, facts(template), "") == "[Be kind]Hi"


def test_a_template_that_knows_it_gets_it() -> None:
    assert render(Generation(messages=SAID), facts(BOTH)) == "developer:Be kind;user:Hi;"


@pytest.mark.parametrize("kind", ["tgi", "vllm", "llamacpp", "sglang", "transformers", "router", "unknown"])
def test_a_server_of_models_gets_a_system(kind: ServerKind) -> None:
    assert sent(SAID, kind) == [{"role": "system", "content": "Be kind"}, SAID[1]]


def test_a_server_that_may_be_openai_s_own_gets_what_was_said() -> None:
    assert sent(SAID, "openai") == list(SAID)


def sent(messages: Messages, kind: ServerKind) -> list[Message]:
    request = openai_chat.encode(Generation(messages=messages), Target("http://127.0.0.1:9", kind=kind, model="m"))
    found: list[Message] = json.loads(request.body or b"")["messages"]
    return found
