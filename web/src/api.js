// The gateway, as this page calls it. Addresses are relative, so that the gateway may be mounted below a path.
import { ask, current } from "./key.js";

/** What the server, or the way to it, refused. */
export class ApiError extends Error {
  constructor(message, status = 0, requestId = "") {
    super(message);
    this.status = status;
    this.requestId = requestId;
  }
}

/** The address of a route, complete, for whoever calls from outside. */
export function address(path) {
  return new URL(path, document.baseURI).href.replace(/#.*$/, "");
}

/** POSTs JSON, or GETs where there is no body. A server that wants a key gets one from the person. */
export async function call(path, body, signal) {
  for (;;) {
    const response = await send(path, body, signal);
    if (response.ok) return response;
    if (response.status !== 401 || !(await ask())) throw await refusal(response);
  }
}

export async function json(path, body, signal) {
  return (await call(path, body, signal)).json();
}

async function send(path, body, signal) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (current()) headers.Authorization = `Bearer ${current()}`;
  const method = body ? "POST" : "GET";
  try {
    return await fetch(path, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The gateway cannot be reached. Does `hfgen serve` still run?");
  }
}

async function refusal(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // a proxy's page, or nothing at all
  }
  const message = error.message || `The server answered ${response.status} ${response.statusText}`.trim();
  return new ApiError(message, response.status, error.request_id ?? "");
}
