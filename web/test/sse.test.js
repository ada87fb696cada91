import assert from "node:assert/strict";
import { test } from "node:test";
import { events } from "../src/sse.js";

async function read(...chunks) {
  const found = [];
  for await (const data of events(new Blob(chunks).stream())) found.push(data);
  return found;
}

function pieces(...chunks) {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

test("events come out whole wherever their bytes were cut", async () => {
  const bytes = new TextEncoder().encode('data: {"a":"é"}\n\n: comment\n\nevent: x\r\ndata:two\r\n\r\ndata: [DONE]\n\n');
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const found = [];
    for await (const data of events(pieces(bytes.slice(0, cut), bytes.slice(cut)))) found.push(data);
    assert.deepEqual(found, ['{"a":"é"}', "two", "[DONE]"], `cut at ${cut}`);
  }
});

test("several data lines are one text", async () => {
  assert.deepEqual(await read("data: a\ndata: b\n\n"), ["a\nb"]);
});

test("leaving the loop cancels the body", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: a\n\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const _ of events(body)) break;
  await new Promise(setImmediate);
  assert.equal(cancelled, true);
});
