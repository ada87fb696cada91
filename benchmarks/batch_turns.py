"""One runner answers one input: `python batch_turns.py RUNNER INPUT OUTPUT PORT CONCURRENCY`.

Rows are of the OpenAI Batch form. Each runner does what it does by default, so far as that answers every row.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


def floor(rows: Path, out: Path, root: str, at_once: int) -> None:
    """aiohttp and msgspec in a loop: no errors, no limits, nothing that could be resumed."""
    import aiohttp
    import msgspec

    class Delta(msgspec.Struct):
        content: str = ""

    class Choice(msgspec.Struct):
        delta: Delta
        finish_reason: str | None = None

    class Chunk(msgspec.Struct):
        choices: list[Choice]

    class Row(msgspec.Struct):
        custom_id: str
        body: dict[str, Any]

    chunks, row_of, to_json = msgspec.json.Decoder(Chunk), msgspec.json.Decoder(Row), msgspec.json.Encoder()

    async def ask(http: aiohttp.ClientSession, lines: Iterable[bytes], results: Any) -> None:
        for line in lines:
            row = row_of.decode(line)
            said: list[str] = []
            body = to_json.encode(row.body | {"stream": True, "model": "m"})
            async with http.post(f"{root}/v1/chat/completions", data=body, headers=JSON) as answer:
                async for event in answer.content:
                    if event.startswith(b"data: {"):
                        said += [choice.delta.content for choice in chunks.decode(event[6:]).choices]
            results.write(to_json.encode({"custom_id": row.custom_id, "text": "".join(said)}) + b"\n")

    async def work() -> None:
        with rows.open("rb") as lines, out.open("wb", buffering=0) as results:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
                await asyncio.gather(*(ask(http, lines, results) for _ in range(at_once)))

    asyncio.run(work())


def hfgen(rows: Path, out: Path, root: str, at_once: int) -> None:
    """The library."""
    from hfgen.batch import run

    async def work() -> None:
        with rows.open("rb") as lines:
            requests = (json.loads(line) for line in lines)
            async for _ in run(requests, out=out, api_base=root, model="m", concurrency=at_once):
                pass

    asyncio.run(work())


def hfgen_stub(rows: Path, out: Path, _root: str, _at_once: int) -> None:
    """All of it but the network: an engine that answers at once."""
    from msgspec import Raw

    from hfgen.batch import Job, Result, run
    from hfgen.batch.bad_row import BadRow
    from hfgen.batch.pacing.budget import Budget
    from hfgen.batch.result import Account, Response
    from hfgen.batch.rows.input import Jobs
    from hfgen.batch.setting import Setting

    body = json.dumps({"choices": [{"message": {"content": " word" * 20}, "finish_reason": "stop"}]}).encode()
    response = Response(200, "", Raw(body))

    class Stub:
        under_way = slots = 0

        def stop(self) -> None:
            """Nothing is under way."""

        async def results(self, jobs: AsyncIterator[Job | BadRow]) -> AsyncGenerator[Result, None]:
            async for job in jobs:
                assert isinstance(job, Job)
                yield Result("batch_req_1", job.custom_id, response, None, Account(job.digest, job.row))

    @asynccontextmanager
    async def opened(_: Setting, _budget: Budget) -> AsyncGenerator[Stub, None]:
        yield Stub()

    async def work() -> None:
        with Jobs(str(rows)) as jobs:
            async for _ in run(jobs, out=out, model="m", engine=opened):
                pass

    asyncio.run(work())


def hfgen_command(rows: Path, out: Path, root: str, at_once: int) -> None:
    """The command, with its progress and summary."""
    from hfgen.__main__ import main

    sys.argv = ["hfgen", "batch", str(rows), "--out", str(out), "--api-base", root, "-m", "m"]
    sys.argv += ["--concurrency", str(at_once)]
    main()


def ray_data(rows: Path, out: Path, root: str, at_once: int) -> None:
    """Ray Data's processor for HTTP, four of its actors at work; its requests are not streamed."""
    import ray
    from ray.data.llm import HttpRequestProcessorConfig, build_processor

    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    config = HttpRequestProcessorConfig(
        url=f"{root}/v1/chat/completions", batch_size=at_once, concurrency=1, headers={"X": "1"}
    )
    process = build_processor(
        config,
        preprocess=lambda row: {"payload": row["body"] | {"model": "m"}, "custom_id": row["custom_id"]},
        postprocess=lambda row: {
            "custom_id": row["custom_id"],
            "text": row["http_response"]["choices"][0]["message"]["content"],
        },
    )
    requests = [json.loads(line) for line in rows.read_text().splitlines()]
    done = process(ray.data.from_items(requests))
    with out.open("w") as results:
        for row in done.iter_rows():
            results.write(json.dumps({"custom_id": row["custom_id"], "text": row["text"]}) + "\n")
    ray.shutdown()


def datatrove(rows: Path, out: Path, root: str, at_once: int) -> None:
    """datatrove's InferenceRunner at an endpoint; its requests are not streamed."""
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
    from datatrove.pipeline.writers import JsonlWriter

    class Documents:
        def __call__(self, *_: Any, **__: Any) -> Any:
            with rows.open("rb") as lines:
                for line in lines:
                    row = json.loads(line)
                    yield Document(text=row["body"]["messages"][0]["content"], id=row["custom_id"])

    async def roll(document: Any, generate: Any) -> Any:
        result = await generate({"messages": [{"role": "user", "content": document.text}]})
        return result.text

    config = InferenceConfig(
        server_type="endpoint",
        model_name_or_path="m",
        endpoint_url=root,
        max_concurrent_generations=at_once,
        metric_interval=3600,
    )
    runner = InferenceRunner(
        rollout_fn=roll,
        config=config,
        output_writer=JsonlWriter(str(out.parent / "datatrove"), output_filename=out.name, compression=None),
    )
    for made in ("datatrove", "datatrove-logs"):  # it would find there that all is done
        shutil.rmtree(out.parent / made, ignore_errors=True)
    LocalPipelineExecutor([Documents(), runner], logging_dir=str(out.parent / "datatrove-logs")).run()
    (out.parent / "datatrove" / out.name).rename(out)


def curator(rows: Path, out: Path, root: str, at_once: int) -> None:
    """bespokelabs-curator by its client of OpenAI-like servers; its requests are not streamed."""
    from bespokelabs import curator as peer

    class Asking(peer.LLM):  # type: ignore[misc]  # installed for the benchmark alone
        def prompt(self, row: dict[str, Any]) -> str:
            prompt: str = row["prompt"]
            return prompt

        def parse(self, row: dict[str, Any], answer: str) -> dict[str, Any]:
            return {"custom_id": row["custom_id"], "text": answer}

    limits = {"max_requests_per_minute": 10**7, "max_tokens_per_minute": 10**10, "max_concurrent_requests": at_once}
    asking = Asking(
        model_name="m",
        backend="openai",
        backend_params={"base_url": f"{root}/v1", "api_key": "none", **limits},
    )
    requests = [json.loads(line) for line in rows.read_text().splitlines()]
    given = [{"custom_id": row["custom_id"], "prompt": row["body"]["messages"][0]["content"]} for row in requests]
    done = asking(given)
    found = getattr(done, "dataset", done)
    out.write_text("".join(json.dumps(row) + "\n" for row in found))


RUNNERS: dict[str, Callable[[Path, Path, str, int], None]] = {
    "bare loop": floor,
    "hfgen, library": hfgen,
    "hfgen, command": hfgen_command,
    "hfgen, no network": hfgen_stub,
    "Ray Data": ray_data,
    "datatrove": datatrove,
    "curator": curator,
}
JSON = {"Content-Type": "application/json"}


def main() -> None:
    runner, rows, out, port, at_once = sys.argv[1:]
    RUNNERS[runner](Path(rows), Path(out), f"http://127.0.0.1:{port}", int(at_once))


if __name__ == "__main__":
    main()
