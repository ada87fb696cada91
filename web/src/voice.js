// Says answers to screen readers by sentences: nobody could follow a live region that changes with every token.
import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { turns } from "./conversation.js";
import { html } from "./html.js";

const PAUSE = 1500; // milliseconds between two announcements
const MOST = 20;
const said = signal([]);

export function Voice() {
  useEffect(() => {
    const listener = new Listener();
    const unfollow = effect(() => listener.follow());
    const timer = setInterval(() => listener.listen(), PAUSE);
    return () => (unfollow(), clearInterval(timer));
  }, []);
  return html`<div class="visually-hidden" role="log" aria-live="polite" aria-label="Answers, as they come">
    ${said.value.map(({ at, text }) => html`<p key=${at}>${text}</p>`)}
  </div>`;
}

class Listener {
  #heard = new Map(); // how much was said of each answer that runs, or ran since the last time
  #count = 0;

  /** Takes note of what begins to run: its end, when it goes on, is where the saying begins. */
  follow() {
    for (const answer of (turns.value.at(-1)?.columns.value ?? []).map((column) => column.answer.value)) {
      if (answer?.running.value && !this.#heard.has(answer)) this.#heard.set(answer, answer.text.peek().length);
    }
  }

  listen() {
    for (const [answer, from] of this.#heard) this.#hear(answer, from);
  }

  #hear(answer, from) {
    const [text, running] = [answer.text.peek(), answer.running.peek()];
    const end = running ? from + sentences(text.slice(from)) : text.length;
    if (running) this.#heard.set(answer, end);
    else this.#heard.delete(answer);
    if (end <= from) return;
    said.value = [...said.value, { at: (this.#count += 1), text: text.slice(from, end) }].slice(-MOST);
  }
}

/** How far complete sentences reach. */
function sentences(text) {
  const ends = [...text.matchAll(/[.!?:。！？](?=\s)|\n/g)];
  return ends.length ? ends.at(-1).index + 1 : 0;
}
