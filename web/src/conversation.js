// The conversation on the screen, and what can be done with it.
import { computed, signal } from "@preact/signals";
import { all as everything, freshId, put, remove } from "./disk.js";
import { chatBody } from "./request.js";
import { model, other, sampling, system } from "./settings.js";
import { Turn } from "./turn.js";

export const id = signal(freshId());
export const turns = signal([]);
export const draft = signal("");
export const kept = signal([]); // what the browser holds, newest first

/** The models that answer, one or two. */
export const asked = computed(() => (other.value ? [model.value, other.value] : [model.value]));

const answers = computed(() => turns.value.flatMap((turn) => turn.columns.value.map((each) => each.answer.value)));
export const running = computed(() => answers.value.some((each) => each?.running.value));

/** The request that the model at a place would get now, with what is written; else the last one it got. */
export function requestNow(place = 0) {
  const [all, question] = [turns.value, draft.value.trim()];
  if (question || !all.length) return body(all, place, question);
  return body(all.slice(0, -1), place, all.at(-1).question);
}

export async function send(text) {
  const question = text.trim();
  if (!question || running.value) return;
  const turn = new Turn({ question });
  turns.value = [...turns.value, turn];
  draft.value = "";
  await answer(turn, asked.value.map((_, place) => place));
}

/** Asks again, from a question on; what came after it goes. */
export async function resend(turn, text) {
  const place = turns.value.indexOf(turn);
  if (running.value || place < 0 || !text.trim()) return;
  turns.value = turns.value.slice(0, place);
  await send(text);
}

/** Another answer to the same question, beside the one before. */
export async function regenerate(turn, place) {
  if (!running.value) await answer(turn, [place]);
}

/** The last answer goes on from its exact end. */
export async function goOn(turn, place) {
  if (running.value) return;
  const [at, all] = [id.value, turns.value];
  const last = turn.column(place).answer.value;
  const upTo = all.slice(0, all.indexOf(turn) + 1);
  await last.run({ ...body(upTo, place), model: last.model, continue_final_message: true });
  await keep(at, all);
}

export function stop() {
  answers.value.forEach((each) => each?.stop());
}

export function begin() {
  stop();
  id.value = freshId();
  turns.value = [];
}

export function open(file) {
  stop();
  id.value = file.id;
  system.value = file.system ?? "";
  turns.value = file.turns.map((each) => new Turn(each));
}

export async function forget(file) {
  await remove("conversations", file.id);
  if (file.id === id.value) begin();
  await refresh();
}

export async function refresh() {
  kept.value = (await everything("conversations")).sort((one, two) => two.changed - one.changed);
}

async function answer(turn, places) {
  const [at, all] = [id.value, turns.value];
  const before = all.slice(0, all.indexOf(turn));
  const answering = places.map((place) => {
    const asks = { ...body(before, place, turn.question) };
    return turn.column(place).add(asks.model).run(asks);
  });
  await keep(at, all); // the question at least, should the tab be closed meanwhile
  await Promise.all(answering);
  await keep(at, all);
}

function body(upTo, place, question = "") {
  const name = asked.value[place] ?? asked.value[0];
  return chatBody({ model: name, system: system.value, sampling: sampling.value, turns: upTo, place, question });
}

async function keep(at, all) {
  const saved = all.map((each) => each.saved());
  const title = saved[0].question.replace(/\s+/g, " ").slice(0, 80);
  await put("conversations", { id: at, title, changed: Date.now(), system: system.value, turns: saved });
  await refresh();
}
