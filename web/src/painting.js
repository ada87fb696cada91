// Pictures: asked for, shown as they are made, and kept in this browser with what they were made from.
import { signal } from "@preact/signals";
import { ApiError, call } from "./api.js";
import { all, freshId, put, remove } from "./disk.js";
import { kindOf } from "./picturefile.js";
import { painter, picture } from "./settings.js";
import { events } from "./sse.js";

export const wish = signal("");
export const gallery = signal([]); // newest first: {id, blob, kind, made, asked}
export const progress = signal(null); // {share, text} while pictures are made; a share of null: nobody knows
export const failed = signal("");
let leaving = null;

export async function load() {
  gallery.value = (await all("pictures")).sort((one, two) => two.made - one.made);
}

export function cancel() {
  leaving?.abort();
}

export async function paint() {
  if (!wish.value.trim() || progress.value) return;
  leaving = new AbortController();
  failed.value = "";
  progress.value = { share: null, text: "asking" };
  const asked = request();
  const body = { ...asked, response_format: "b64_json", stream: true };
  try {
    const response = await call("v1/images/generations", body, leaving.signal);
    for await (const item of pictures(response)) await hang(item, asked);
  } catch (error) {
    if (error.name !== "AbortError") failed.value = error.message;
  }
  progress.value = null;
}

export async function takeDown(shown) {
  await remove("pictures", shown.id);
  gallery.value = gallery.value.filter((each) => each !== shown);
}

/** What the form says, as the wire's fields; empty ones are left to the server. */
function request() {
  const numbers = ["n", "seed", "num_inference_steps", "guidance_scale"];
  const given = Object.entries(picture.value).filter(([, value]) => value !== "");
  const fields = given.map(([name, value]) => [name, numbers.includes(name) ? Number(value) : value]);
  return { model: painter.value, prompt: wish.value.trim(), ...Object.fromEntries(fields) };
}

/** The pictures of an answer, which tells its progress as events or comes in one piece. */
async function* pictures(response) {
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    yield* (await response.json()).data;
    return;
  }
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) throw new ApiError(event.error.message);
    if (event.type === "image_generation.completed") yield event;
    else if (event.data) yield* event.data;
    else note(event);
  }
}

/** `image_generation.progress`, which is hfgen's own event. */
function note({ progress: share = null, status, message, position }) {
  const text = message || status || "painting";
  progress.value = { share, text: position ? `${text}, place ${position} in the queue` : text };
}

async function hang(item, asked) {
  const bytes = Uint8Array.from(atob(item.b64_json), (char) => char.charCodeAt(0));
  const kind = kindOf(bytes);
  if (!kind) throw new ApiError("What came is no PNG, JPEG, WebP or GIF.");
  const own = { ...asked, n: 1, seed: item.seed ?? asked.seed }; // what makes this one again
  const shown = { id: freshId(), blob: new Blob([bytes], { type: kind }), kind, made: Date.now(), asked: own };
  await put("pictures", shown);
  gallery.value = [shown, ...gallery.value];
}
