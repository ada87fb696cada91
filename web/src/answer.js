// One answer of a model: what came so far, how fast, and how it ended.
import { signal } from "@preact/signals";
import { ApiError, call } from "./api.js";
import { events } from "./sse.js";

export class Answer {
  #stop = null;

  constructor({ model, text = "", reasoning = "", finish = "", error = "", meters = null }) {
    this.model = model;
    this.text = signal(text);
    this.reasoning = signal(reasoning);
    this.finish = signal(finish); // the server's word, or "stopped" by the person
    this.error = signal(error);
    this.meters = signal(meters);
    this.running = signal(false);
  }

  /** As it is kept. */
  saved() {
    const { model, text, reasoning, finish, error, meters } = this;
    const [said, thought, end, failed, figures] = [text, reasoning, finish, error, meters].map((each) => each.value);
    return { model, text: said, reasoning: thought, finish: end, error: failed, meters: figures };
  }

  stop() {
    this.#stop?.abort();
  }

  /** Asks, and takes in what comes, once for each frame of the screen. Never throws: the answer says how it ended. */
  async run(body) {
    this.#stop = new AbortController();
    this.running.value = true;
    this.finish.value = this.error.value = "";
    const inflow = new Inflow(this);
    try {
      const asked = { ...body, stream: true, stream_options: { include_usage: true } };
      const response = await call("v1/chat/completions", asked, this.#stop.signal);
      await inflow.read(events(response.body));
    } catch (error) {
      if (error.name === "AbortError") this.finish.value = "stopped";
      else this.error.value = error.message;
    }
    inflow.flush();
    this.running.value = false;
  }
}

class Inflow {
  #answer;
  #text = "";
  #reasoning = "";
  #frame = 0;
  #begun = performance.now();
  #first = 0;
  #last = 0;
  #pieces = 0;
  #usage = null;

  constructor(answer) {
    this.#answer = answer;
  }

  async read(stream) {
    let ended = false;
    for await (const data of stream) {
      if (data === "[DONE]") {
        ended = true;
        break;
      }
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(chunk.error.message ?? "The answer failed.");
      this.#take(chunk);
    }
    if (!ended) throw new ApiError("The answer broke off before its end.");
  }

  #take({ choices, usage }) {
    this.#usage = usage ?? this.#usage;
    const choice = choices?.[0];
    if (!choice) return;
    if (choice.finish_reason) this.#answer.finish.value = choice.finish_reason;
    const { content, reasoning_content: thought } = choice.delta ?? {};
    if (!content && !thought) return;
    this.#text += content ?? "";
    this.#reasoning += thought ?? "";
    this.#pieces += 1;
    this.#last = performance.now();
    this.#first ||= this.#last;
    this.#frame ||= requestAnimationFrame(() => this.flush());
  }

  /** Shows what has come. */
  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { text, reasoning, meters } = this.#answer;
    if (this.#text) text.value += this.#text;
    if (this.#reasoning) reasoning.value += this.#reasoning;
    this.#text = this.#reasoning = "";
    if (this.#first) meters.value = this.#meters();
  }

  /** Seconds to the first token, and tokens a second after it; pieces stand for tokens until the usage has come. */
  #meters() {
    const tokens = this.#usage?.completion_tokens ?? this.#pieces;
    const seconds = (this.#last - this.#first) / 1000;
    return {
      first: (this.#first - this.#begun) / 1000,
      speed: seconds > 0 && tokens > 1 ? (tokens - 1) / seconds : null,
      answer: tokens,
      prompt: this.#usage?.prompt_tokens ?? null,
    };
  }
}
