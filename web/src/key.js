// The API key: asked for when the server wants one, kept for this tab only, never in an address or on the disk.
import { signal } from "@preact/signals";

const NAME = "hfgen.key";
let answered = null;

/** Whether the person is being asked for the key. */
export const asking = signal(false);

/** Takes the key out of `#k=…`, and out of the address bar and the history with it. */
export function takeFromFragment() {
  const given = /^#k=(.+)$/.exec(location.hash);
  if (!given) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    keep(decodeURIComponent(given[1]));
  } catch {
    // no key that anybody could have meant
  }
}

export function current() {
  return sessionStorage.getItem(NAME) ?? "";
}

/** Whether the key that was given before was not the right one. */
export const wrong = signal(false);

/** Asks for the key; several that need it wait for the same answer. Resolves to whether one was given. */
export function ask() {
  wrong.value = Boolean(current());
  if (!answered) {
    let resolve;
    const promise = new Promise((given) => (resolve = given));
    answered = { promise, resolve };
    asking.value = true;
  }
  return answered.promise;
}

/** What the person answered: a key, or "" to go without. */
export function answer(key) {
  if (key) keep(key);
  answered?.resolve(Boolean(key));
  answered = null;
  asking.value = false;
}

function keep(key) {
  sessionStorage.setItem(NAME, key.trim());
}
