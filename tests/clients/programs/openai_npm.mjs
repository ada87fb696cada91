// openai for JavaScript.

import assert from "node:assert/strict";
import OpenAI from "openai";

const { GATEWAY, KEY, LOCAL } = process.env;
const ALL = "Streams end with a reason.";
const messages = [{ role: "user", content: "Say hello." }];
const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: KEY, maxRetries: 0 });
const tools = [{
  type: "function",
  function: {
    name: "weather",
    description: "The weather in a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}];

const checks = {
  async "a whole answer has text reason and usage"() {
    const answer = await client.chat.completions.create({ model: "toy", messages });
    assert.equal(answer.choices[0].message.content, ALL);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.usage.total_tokens, 17);
  },
  async "a stream begins with the role and ends with the usage"() {
    const stream = await client.chat.completions.create({
      model: "toy", messages, stream: true, stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    assert.equal(chunks.map((c) => c.choices[0]?.delta.content ?? "").join(""), ALL);
    assert.equal(chunks.at(-1).usage.total_tokens, 17);
  },
  async "a tool call comes in pieces and is gathered"() {
    const stream = client.chat.completions.stream({ model: "toy", messages, tools });
    const final = await stream.finalChatCompletion();
    const [call] = final.choices[0].message.tool_calls;
    assert.equal(call.function.name, "weather");
    assert.deepEqual(JSON.parse(call.function.arguments), { city: "Oslo" });
  },
  async "errors have their classes"() {
    await assert.rejects(client.chat.completions.create({ model: "toy", messages, n: 99 }), OpenAI.BadRequestError);
    await assert.rejects(client.chat.completions.create({ model: "busy", messages }), OpenAI.RateLimitError);
    const wrong = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "wrong", maxRetries: 0 });
    await assert.rejects(wrong.chat.completions.create({ model: "toy", messages }), OpenAI.AuthenticationError);
  },
  async "a stream that breaks rejects and keeps what came"() {
    let text = "";
    await assert.rejects(async () => {
      for await (const chunk of await client.chat.completions.create({ model: "breaks", messages, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? "";
      }
    }, OpenAI.APIError);
    assert.equal(text, "Streams");
  },
  async "a response comes whole and streamed"() {
    assert.equal((await client.responses.create({ model: "toy", input: "Say hello." })).output_text, ALL);
    let text = "";
    for await (const event of await client.responses.create({ model: "toy", input: "x", stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    assert.equal(text, ALL);
  },
  async "a picture is painted"() {
    const answer = await client.images.generate({ model: "painter", prompt: "A fox" });
    assert.equal(Buffer.from(answer.data[0].b64_json, "base64").subarray(1, 4).toString(), "PNG");
  },
  async "the models are listed"() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes("toy"));
  },
  async "the real engine streams"() {
    const local = new OpenAI({ baseURL: `${LOCAL}/v1`, apiKey: "none", maxRetries: 0 });
    let text = "";
    const stream = await local.chat.completions.create({ model: "local", messages, max_tokens: 8, stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    assert.notEqual(text, "");
  },
};

let wrong = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`  ok    ${name}`);
  } catch (error) {
    wrong += 1;
    console.log(`  WRONG ${name}\n${error.stack}`);
  }
}
process.exit(wrong ? 1 : 0);
