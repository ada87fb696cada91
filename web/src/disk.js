// What the browser keeps: conversations and pictures in IndexedDB. Where it has none, nothing is kept.
import { tell } from "./notice.js";

const STORES = ["conversations", "pictures"];
let opened = null;

/** A name that nothing else has; `crypto.randomUUID` is missing on pages without TLS. */
export function freshId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function all(store) {
  return ask(store, "readonly", (files) => files.getAll()).then((found) => found ?? []);
}

/** Keeps a value, or says that the browser has no room for it; what is on the screen stays there either way. */
export async function put(store, value) {
  try {
    await ask(store, "readwrite", (files) => files.put(value));
  } catch (error) {
    tell(`This browser could not keep it: ${error.message}`);
  }
}

export function remove(store, id) {
  return ask(store, "readwrite", (files) => files.delete(id));
}

async function ask(store, mode, request) {
  opened ??= open().catch(() => null);
  const database = await opened;
  if (!database) return undefined;
  return done(request(database.transaction(store, mode).objectStore(store)));
}

function open() {
  const request = indexedDB.open("hfgen", 1);
  request.onupgradeneeded = () => STORES.forEach((name) => request.result.createObjectStore(name, { keyPath: "id" }));
  return done(request);
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
