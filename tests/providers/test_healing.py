"""Answers that break off go on, to the letter; those that cannot are said to be cut."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from hfgen import (
    ConnectionFailed,
    FinishReason,
    GenerationError,
    HuggingFaceInference,
    ModelNotSupportedError,
    RateLimited,
    Reasoning,
    Resumed,
    ServerError,
    StreamError,
    TruncatedStream,
    Usage,
)
from hfgen.events import Event
from hfgen.messages import Message
from loopback import Visit, serving

ANSWER = "The sky is blue, and the sea looks so:\n\n- light is scattered 😀,\n- <b>blue</b> most of all. The end."
TOKENS = [ANSWER[i : i + 5] for i in range(0, len(ANSWER), 5)]
ASK: list[Message] = [{"role": "user", "content": "Why is the sky blue?"}]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
CHATML += "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
PROMPT = "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n"

VLLM = {"/version": {"version": "0.32.0"}, "/v1/models": {"data": [{"id": "m", "owned_by": "vllm"}]}}
TGI = {"/info": {"model_id": "m", "version": "3.0.0", "max_total_tokens": 2048}}
LLAMACPP = {"/props": {"default_generation_settings": {"n_ctx": 4096}, "chat_template": CHATML}}
OTHER = {"/v1/models": {"data": [{"id": "m", "owned_by": "me"}]}}


@dataclass
class Model:
    """A server whose model always gives the same answer, and whose connection breaks.

    Attributes:
        pages: What it says of itself.
        cuts: After how many tokens each request breaks off; the requests beyond do not.
        goes_on: Whether it continues an unfinished message, by the request's body.
    """

    pages: dict[str, Any]
    cuts: list[int] = field(default_factory=list)
    goes_on: Callable[[dict[str, Any]], bool] = lambda body: bool(body.get("continue_final_message"))
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    before: list[str] = field(default_factory=list)

    async def __call__(self, visit: Visit) -> None:
        path = visit.path.partition("?")[0]
        if visit.method == "GET":
            page = self.pages.get(path)
            await visit.answer(json.dumps(page or {}).encode(), status="200 OK" if page else "404 Not Found")
            return
        body = json.loads(visit.body)
        self.posts.append((path, body))
        await self.generate(visit, path, body)

    async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
        limit = body.get("max_tokens") or body.get("parameters", {}).get("max_new_tokens") or 10_000
        pieces = self.rest(len(self.given(body)))
        number = len(self.posts) - 1
        cut = self.cuts[number] if number < len(self.cuts) else None
        await visit.begin_stream()
        for event in self.before:
            await visit.event(event)
        for piece in pieces[: min(limit, len(pieces) if cut is None else cut)]:
            await visit.event(json.dumps(self.chunk(path, piece)))
        if cut is not None and cut < min(limit, len(pieces)):
            visit.writer.close()  # a reset could take tokens with it that were sent
            return
        await visit.event(
            json.dumps(self.last(path, "length" if limit < len(pieces) else "stop", min(limit, len(pieces))))
        )
        await visit.end_stream()

    def rest(self, given: int) -> list[str]:
        """The tokens behind what is given; of the one that is half given its other half."""
        starts = range(0, len(ANSWER), 5)
        return [ANSWER[max(at, given) : at + 5] for at in starts if at + 5 > given]

    def given(self, body: dict[str, Any]) -> str:
        """What of the answer the request already holds."""
        text: str = body.get("prompt") or body.get("inputs") or ""
        if text:
            return text[text.rindex(ANSWER[:3]) :] if ANSWER[:3] in text else ""
        last = body["messages"][-1]
        return last["content"] if last["role"] == "assistant" and self.goes_on(body) else ""

    def chunk(self, path: str, text: str) -> dict[str, Any]:
        if path == "/generate_stream":
            return {"token": {"text": text, "special": False}, "generated_text": None}
        shape = {"delta": {"content": text}} if "chat" in path else {"text": text}
        return {"choices": [{"index": 0, "finish_reason": None, **shape}]}

    def last(self, path: str, reason: str, tokens: int) -> dict[str, Any]:
        if path == "/generate_stream":
            reason = {"stop": "eos_token"}.get(reason, reason)
            details = {"finish_reason": reason, "generated_tokens": tokens, "input_length": 30}
            return {"token": {"text": "</s>", "special": True}, "generated_text": "", "details": details}
        usage = {"prompt_tokens": 30, "completion_tokens": tokens}
        return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}


async def ask(model: Model, **options: Any) -> list[Event]:
    async with serving(model) as server:
        return [event async for event in generator(server.url, **options)]


def generator(base: str | list[str], messages: list[Message] | None = None, **options: Any) -> Any:
    asked = {"api_base": base, "temperature": 0, "idle_timeout": 5, "connect_timeout": 2, **options}
    return HuggingFaceInference.create_async_generator("", messages or ASK, **asked)


def text_of(events: list[Event]) -> str:
    return "".join(event for event in events if isinstance(event, str))


@pytest.mark.parametrize("cut", range(1, len(TOKENS)))
@pytest.mark.parametrize("pages", [VLLM, TGI, LLAMACPP], ids=["vllm", "tgi", "llama.cpp"])
async def test_a_conversation_goes_on_after_a_cut_anywhere(pages: dict[str, Any], cut: int) -> None:
    events = await ask(Model(pages, [cut]))

    assert text_of(events) == ANSWER
    assert isinstance(end := events[-1], FinishReason)
    assert (end.reason, end.attempts, end.resumed) == ("stop", 2, 1)


@pytest.mark.parametrize("pages", [VLLM, TGI, LLAMACPP, OTHER], ids=["vllm", "tgi", "llama.cpp", "other"])
async def test_a_raw_prompt_goes_on_by_the_prompt_and_the_text(pages: dict[str, Any]) -> None:
    model = Model(pages, [7])

    events = await ask(model, prompt="Tell me:")

    assert text_of(events) == ANSWER
    resent = model.posts[1][1].get("prompt") or model.posts[1][1]["inputs"]
    assert resent == "Tell me:The sky is blue, and the sea"


async def test_where_the_template_is_known_a_conversation_goes_on_as_the_prompt_that_it_was() -> None:
    model = Model(LLAMACPP, [7])

    await ask(model)

    assert [path for path, _ in model.posts] == ["/v1/chat/completions", "/v1/completions"]
    assert model.posts[1][1]["prompt"] == PROMPT + "The sky is blue, and the sea"


async def test_the_unfinished_message_is_added_and_the_users_messages_stay_as_they_are() -> None:
    model = Model(VLLM, [7])

    await ask(model)

    assert model.posts[0][1]["messages"] == ASK
    assert model.posts[1][1]["messages"] == [*ASK, {"role": "assistant", "content": "The sky is blue, and the sea"}]
    assert model.posts[1][1]["continue_final_message"] is True
    assert model.posts[1][1]["add_generation_prompt"] is False


async def test_an_answer_that_breaks_again_and_again_goes_on_as_long_as_it_grows() -> None:
    events = await ask(Model(VLLM, [5] * 12))

    assert text_of(events) == ANSWER
    assert isinstance(end := events[-1], FinishReason)
    assert end.resumed > 3


async def test_who_listens_is_told_before_the_new_text() -> None:
    events = await ask(Model(VLLM, [7]))

    at = next(i for i, event in enumerate(events) if isinstance(event, Resumed))
    assert text_of(events[:at]) == ANSWER[:35]
    assert isinstance(resumed := events[at], Resumed)
    assert resumed.attempt == 2
    assert "in the middle of its answer" in resumed.reason


async def test_max_tokens_counts_over_all_attempts() -> None:
    model = Model(VLLM, [7])

    events = await ask(model, max_tokens=12)

    assert text_of(events) == ANSWER[:60]
    assert isinstance(end := events[-1], FinishReason)
    assert end.reason == "length"
    assert [body["max_tokens"] for _, body in model.posts] == [12, 7]


async def test_usage_is_summed_and_marked_as_estimated() -> None:
    events = await ask(Model(VLLM, [7]))

    assert events[-2] == Usage(prompt_tokens=25, completion_tokens=len(TOKENS), estimated=True)


async def test_a_stop_string_is_found_across_the_seam() -> None:
    events = await ask(Model(VLLM, [6]), stop=["sea looks"])

    assert text_of(events) == "The sky is blue, and the "


@pytest.mark.parametrize(
    "options",
    [
        {"response_format": {"type": "json_object"}},
        {"logprobs": True},
        {"extra_data": {"n": 2}},
        {"heal": False},
    ],
)
async def test_what_has_a_form_is_never_continued(options: dict[str, Any]) -> None:
    model = Model(VLLM, [7])

    with pytest.raises(TruncatedStream) as caught:
        await ask(model, **options)

    assert caught.value.partial == ANSWER[:35]
    assert len(model.posts) == 1


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "Hm."},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]},
    ],
    ids=["reasoning", "tool call"],
)
async def test_thought_and_tool_calls_are_never_continued(delta: dict[str, Any]) -> None:
    model = Model(VLLM, [7], before=[json.dumps({"choices": [{"index": 0, "delta": delta}]})])

    with pytest.raises(TruncatedStream):
        await ask(model)

    assert len(model.posts) == 1


async def test_a_server_that_nobody_knows_is_asked_to_go_on_only_if_the_caller_says_so() -> None:
    with pytest.raises(TruncatedStream):
        await ask(Model(OTHER, [7]))

    assert text_of(await ask(Model(OTHER, [7]), heal=True)) == ANSWER


SPELT = "ChatML ends a turn with <|im_end|> and"


@dataclass
class Spelling(Model):
    """Its model spells an end of turn, and breaks off behind it; whoever sends the text back is told the rest.

    Attributes:
        pieces: What its `/tokenize` makes of a text; every letter is a token of its own.
    """

    pieces: Callable[[str], list[str]] = list

    async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
        if path == "/tokenize":
            tokens = [{"id": ord(piece[0]), "piece": piece} for piece in self.pieces(body["content"])]
            await visit.answer(json.dumps({"tokens": tokens}).encode())
            return
        await visit.begin_stream()
        if path == "/v1/completions" and isinstance(body["prompt"], list):
            await visit.event(json.dumps(self.chunk(path, " and begins the next.")))
            await visit.event(json.dumps(self.last(path, "stop", 5)))
            await visit.end_stream()
            return
        await visit.event(json.dumps(self.chunk(path, SPELT)))
        visit.writer.close()  # a reset could take tokens with it that were sent


async def test_an_end_of_turn_that_an_answer_spells_is_sent_back_as_tokens_that_end_nothing() -> None:
    model = Spelling(LLAMACPP)

    events = await ask(model)

    assert text_of(events) == SPELT + " begins the next."
    *_, (tokenize, asked), (_, resent) = model.posts
    assert (tokenize, asked["parse_special"], asked["content"]) == ("/tokenize", False, SPELT.removesuffix(" and"))
    assert resent["prompt"] == [PROMPT, *map(ord, SPELT.removesuffix(" and"))]


async def test_with_a_prompt_of_the_callers_own_an_end_of_turn_is_sent_back_as_tokens_too() -> None:
    model = Spelling(LLAMACPP)

    events = await ask(model, prompt="Tell me:")

    assert text_of(events) == SPELT + " begins the next."
    assert model.posts[-1][1]["prompt"] == ["Tell me:", *map(ord, SPELT.removesuffix(" and"))]


async def test_an_end_of_turn_that_begins_in_the_prompt_is_sent_back_as_tokens_too() -> None:
    class Halves(Spelling):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            if len(self.posts) > 1:
                await super().generate(visit, path, body)
                return
            await visit.begin_stream()
            await visit.event(json.dumps(self.chunk(path, "end|> ends a turn and")))
            visit.writer.close()

    model = Halves(LLAMACPP)

    assert text_of(await ask(model, prompt="<|im_")) == "end|> ends a turn and begins the next."
    assert model.posts[-1][1]["prompt"] == ["<|im_", *map(ord, "end|> ends a turn")]


@pytest.mark.parametrize(
    "pieces",
    [lambda text: re.split(r"(<\|im_end\|>)", text), lambda text: [" ", *text], lambda _: []],
    ids=["an old build that reads special tokens", "a vocabulary that puts a space in front", "another tokenizer"],
)
async def test_where_a_spelt_end_of_turn_cannot_be_told_from_one_the_answer_ends_with_its_text(
    pieces: Callable[[str], list[str]],
) -> None:
    model = Spelling({**LLAMACPP}, pieces=lambda text: [piece for piece in pieces(text) if piece])

    with pytest.raises(TruncatedStream, match="spells a special token") as caught:
        await ask(model)

    assert caught.value.partial == SPELT
    assert [path for path, _ in model.posts if path != "/tokenize"] == ["/v1/chat/completions"]


async def test_a_special_token_in_the_last_word_is_generated_again_and_needs_no_sending_back() -> None:
    class LastWord(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            await visit.begin_stream()
            await visit.event(json.dumps(self.chunk(path, "ChatML ends a turn with <|im_end|>"[self.cuts[0] :])))
            if len(self.posts) == 1:
                self.cuts[0] = len("ChatML ends a turn with")
                visit.writer.close()
                return
            await visit.event(json.dumps(self.last(path, "stop", 5)))
            await visit.end_stream()

    model = LastWord(LLAMACPP, cuts=[0])

    assert text_of(await ask(model)) == "ChatML ends a turn with <|im_end|>"
    assert model.posts[1][1]["prompt"] == PROMPT + "ChatML ends a turn with"


async def test_a_cut_says_once_where_it_happened_and_that_the_caller_may_ask_for_the_rest() -> None:
    with pytest.raises(TruncatedStream) as caught:
        await ask(Model(OTHER, [7]))

    said = str(caught.value)
    assert said.count(caught.value.server) == 1
    assert "could not be continued" not in said
    assert "heal=True" in caught.value.hint


async def test_a_cut_that_the_caller_wants_to_see_is_said_without_excuses() -> None:
    with pytest.raises(TruncatedStream) as caught:
        await ask(Model(VLLM, [7]), heal=False)

    assert "could not be continued" not in str(caught.value)
    assert "heal" not in caught.value.hint


async def test_a_web_page_in_place_of_an_answer_is_asked_for_once() -> None:
    class Portal(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            await visit.answer(b"<html><title>Sign in</title></html>", "text/html")

    model = Portal(VLLM)
    with pytest.raises(ServerError, match="Sign in"):
        await ask(model)

    assert len(model.posts) == 1


async def test_a_server_that_was_started_anew_with_another_model_is_met_anew() -> None:
    other = {"/version": {"version": "0.32.0"}, "/v1/models": {"data": [{"id": "another", "owned_by": "vllm"}]}}

    class Elsewhere(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            if body["model"] == "another":
                await super().generate(visit, path, body)
            else:
                await visit.answer(b'{"error":{"code":"model_not_found"}}', status="404 Not Found")

    async with serving(Model(VLLM)) as server:
        assert text_of(await collected(server.url)) == ANSWER
    async with serving(Elsewhere(other), server.port) as server:
        with pytest.raises(ModelNotSupportedError):
            await collected(server.url)
        assert text_of(await collected(server.url)) == ANSWER


async def test_a_server_whose_connection_breaks_before_it_answers_is_met_anew() -> None:
    class Restarted(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            if body["model"] == "m":
                self.pages = {"/v1/models": {"data": [{"id": "another", "owned_by": "vllm"}]}}
                visit.writer.transport.abort()
            else:
                await super().generate(visit, path, body)

    model = Restarted(VLLM)

    assert text_of(await ask(model)) == ANSWER
    assert model.posts[-1][1]["model"] == "another"


async def test_a_server_that_starts_over_is_noticed_and_nothing_comes_twice() -> None:
    events = await ask(Model(VLLM, [7], goes_on=lambda _: False))

    assert text_of(events) == ANSWER


async def test_another_answer_in_place_of_the_rest_is_never_shown() -> None:
    class Forgetful(Model):
        def given(self, body: dict[str, Any]) -> str:
            return ANSWER[:60] if len(self.posts) > 1 else ""

    with pytest.raises(TruncatedStream) as caught:
        await ask(Forgetful(VLLM, [7]))

    assert caught.value.partial == ANSWER[:35]
    assert "in the middle of its answer" in str(caught.value)
    assert "does not go on from the text" in str(caught.value)


async def test_a_refused_continuation_does_not_hide_what_broke_the_answer() -> None:
    class Refusing(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            if len(self.posts) == 1:
                await super().generate(visit, path, body)
            else:
                await visit.answer(b'{"error":{"message":"no prefill here"}}', status="400 Bad Request")

    with pytest.raises(TruncatedStream, match=r"in the middle of its answer.*no prefill here") as caught:
        await ask(Refusing(VLLM, [7]))

    assert caught.value.partial == ANSWER[:35]
    assert caught.value.attempts == 2


async def test_with_sampling_the_text_goes_on_though_the_last_word_comes_out_differently() -> None:
    class Sampling(Model):
        def given(self, body: dict[str, Any]) -> str:
            given = super().given(body)  # where the last word is asked for again, another one comes
            return ANSWER[:50] if given == "The sky is blue, and the" else given

    events = await ask(Sampling(VLLM, [6]), temperature=0.8)

    assert text_of(events) == ANSWER


async def test_with_sampling_another_answer_in_place_of_the_rest_is_never_shown_either() -> None:
    """TGI begins a new turn, without a word, where its template has altered the text."""

    class Sampling(Model):
        def rest(self, given: int) -> list[str]:
            return ["The sky", " is something", " else today."] if len(self.posts) > 1 else super().rest(given)

    model = Sampling(TGI, cuts=[6])
    with pytest.raises(TruncatedStream) as caught:
        await ask(model, temperature=None)
    assert ANSWER.startswith(caught.value.partial)
    assert len(model.posts) <= 4


async def test_continuations_that_bring_nothing_are_few() -> None:
    model = Model(VLLM, [7, 0, 0, 0, 0, 0, 0, 0])

    with pytest.raises(TruncatedStream) as caught:
        await ask(model)

    assert caught.value.partial == ANSWER[:35]
    assert len(model.posts) <= 4


async def test_an_error_that_will_not_pass_ends_the_answer_with_its_text() -> None:
    class Filtering(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            await visit.begin_stream()
            await visit.event(json.dumps(self.chunk(path, "The")))
            await visit.event('{"error":{"message":"filtered","type":"invalid_request_error"}}')
            await visit.end_stream()

    model = Filtering(VLLM)
    with pytest.raises(GenerationError, match="filtered") as caught:
        await ask(model)

    assert caught.value.partial == "The"
    assert len(model.posts) == 1


async def test_an_overload_in_the_middle_passes() -> None:
    class Overloaded(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            if len(self.posts) > 1:
                await super().generate(visit, path, body)
                return
            await visit.begin_stream()
            await visit.event(json.dumps(self.chunk(path, ANSWER[:20])))
            await visit.event('{"error":{"message":"overloaded","type":"overloaded_error","code":503}}')
            await visit.end_stream()

    assert text_of(await ask(Overloaded(VLLM))) == ANSWER


async def test_silence_in_the_middle_is_a_cut_too() -> None:
    class Stalling(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            if len(self.posts) > 1:
                await super().generate(visit, path, body)
                return
            await visit.begin_stream()
            await visit.event(json.dumps(self.chunk(path, ANSWER[:20])))
            await visit.gone()

    assert text_of(await ask(Stalling(VLLM), idle_timeout=0.2)) == ANSWER


async def test_what_comes_behind_the_finish_reason_is_no_text_of_the_answer() -> None:
    class Talkative(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            await visit.begin_stream()
            more = self.chunk(path, "MORE")
            for said in (self.chunk(path, ANSWER), self.last(path, "stop", 3), more, {"error": "late"}):
                await visit.event(json.dumps(said))
            await visit.end_stream()

    assert text_of(await ask(Talkative(VLLM))) == ANSWER


@pytest.mark.parametrize("nothing", ['{"choices":[]}', "", '{"choices":[{"index":0,"delta":{"content":""}}]}'])
@pytest.mark.parametrize("begun", ["", ANSWER[:20]], ids=["at first", "in the middle"])
async def test_events_that_hold_nothing_are_life_for_twice_the_limit_and_no_longer(nothing: str, begun: str) -> None:
    class Murmuring(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            if len(self.posts) > 1:
                await super().generate(visit, path, body)
                return
            await visit.begin_stream()
            await visit.event(json.dumps(self.chunk(path, begun)))
            while not visit.reader.at_eof():
                await visit.event(nothing)
                await asyncio.sleep(0.02)

    limits = {"first_token_timeout": 0.2, "idle_timeout": 0.2}
    assert text_of(await ask(Murmuring(VLLM), **limits, total_timeout=10)) == ANSWER


async def test_the_next_endpoint_answers_where_the_first_one_is_down() -> None:
    class Down(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            await visit.answer(b'{"error":"down"}', status="503 Down")

    down, up = Down(VLLM), Model(VLLM)
    async with serving(down) as first, serving(up) as second:
        events = [event async for event in generator([first.url, second.url])]

    assert text_of(events) == ANSWER
    assert (len(down.posts), len(up.posts)) == (1, 1)
    assert isinstance(end := events[-1], FinishReason)
    assert second.url in end.server


async def test_the_next_endpoint_goes_on_where_the_first_one_broke_off() -> None:
    first_model, second_model = Model(VLLM, [7, 0, 0, 0]), Model(VLLM)
    async with serving(first_model) as first, serving(second_model) as second:
        events = [event async for event in generator([first.url, second.url])]

    assert text_of(events) == ANSWER
    assert (len(first_model.posts), len(second_model.posts)) == (1, 1)


async def test_another_model_never_goes_on() -> None:
    other = {"/version": {"version": "0.32.0"}, "/v1/models": {"data": [{"id": "another", "owned_by": "vllm"}]}}
    cut, healthy = Model(VLLM, [7, 0, 0, 0, 0, 0]), Model(other)
    async with serving(cut) as first, serving(healthy) as second:
        with pytest.raises(StreamError):
            _ = [event async for event in generator([first.url, second.url])]

    assert healthy.posts == []


async def test_a_server_that_is_just_starting_is_waited_for() -> None:
    async with serving(Model(VLLM)) as server:
        port = server.port
    events = asyncio.create_task(collected(f"http://127.0.0.1:{port}"))
    await asyncio.sleep(0)
    async with serving(Model(VLLM), port) as server:
        assert text_of(await events) == ANSWER


async def test_a_server_that_is_down_costs_no_other_its_retries() -> None:
    async with serving(Model(VLLM)) as server, serving(Model(VLLM)) as other:
        down, port = server.url, other.port
    calls = [collected(down) for _ in range(6)]  # 24 retries wanted, where an endpoint has 20
    assert all(isinstance(end, ConnectionFailed) for end in await asyncio.gather(*calls, return_exceptions=True))
    events = asyncio.create_task(collected(f"http://127.0.0.1:{port}"))
    await asyncio.sleep(0)
    async with serving(Model(VLLM), port):
        assert text_of(await events) == ANSWER


async def collected(base: str) -> list[Event]:
    return [event async for event in generator(base)]


async def test_a_wait_beyond_the_deadline_is_an_error_at_once() -> None:
    class Busy(Model):
        async def generate(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
            await visit.answer(b'{"error":"busy"}', status="429 Busy", more="Retry-After: 30\r\n")

    async with asyncio.timeout(8):  # it would take 10
        with pytest.raises(RateLimited) as caught:
            await ask(Busy(VLLM), total_timeout=10)

    assert caught.value.retry_after == 30


async def test_reasoning_alone_is_no_text_to_go_on_from() -> None:
    thinking = json.dumps({"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]})
    model = Model(VLLM, [0], before=[thinking])
    seen: list[Event] = []
    async with serving(model) as server:
        with pytest.raises(TruncatedStream):
            async for event in generator(server.url):
                seen.append(event)

    assert seen == [Reasoning("Hm.")]
