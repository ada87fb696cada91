// Says answers to screen readers sentence by sentence: a live region that changed with every token could not be followed.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { turns } from "./conversation.js";
import { html } from "./html.js";

const PAUSE = 1500; // milliseconds between two announcements
const MOST = 20;
const said = signal([]);

export function Voice() {
  useEffect(() => {
    const listener = new Listener();
    const timer = setInterval(() => listener.listen(), PAUSE);
    return () => clearInterval(timer);
  }, []);
  return html`<div class="visually-hidden" role="log" aria-live="polite" aria-label="Answers, as they come">
    ${said.value.map(({ at, text }) => html`<p key=${at}>${text}</p>`)}
  </div>`;
}

class Listener {
  #heard = new WeakMap(); // how much of each answer was said; one that was already complete is not said at all
  #count = 0;

  listen() {
    for (const answer of (turns.peek().at(-1)?.columns.peek() ?? []).map((column) => column.answer.peek())) {
      if (answer) this.#hear(answer);
    }
  }

  #hear(answer) {
    const [text, running] = [answer.text.peek(), answer.running.peek()];
    if (!this.#heard.has(answer)) this.#heard.set(answer, running ? 0 : text.length);
    const from = this.#heard.get(answer);
    const end = running ? from + sentences(text.slice(from)) : text.length;
    if (end <= from) return;
    this.#heard.set(answer, end);
    said.value = [...said.value, { at: (this.#count += 1), text: text.slice(from, end) }].slice(-MOST);
  }
}

/** How far complete sentences reach. */
function sentences(text) {
  const ends = [...text.matchAll(/[.!?:。！？](?=\s)|\n/g)];
  return ends.length ? ends.at(-1).index + 1 : 0;
}
