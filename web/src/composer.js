// Where a question is written.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { draft, running, send, stop } from "./conversation.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";

export function Composer() {
  const area = useRef();
  useEffect(() => area.current.focus(), []);
  useLayoutEffect(() => fit(area.current), [draft.value]);
  const submit = (event) => {
    event?.preventDefault();
    send(draft.value);
  };
  const keys = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`<form class="composer" onSubmit=${submit}>
    <textarea ref=${area} id="question" rows="1" placeholder="Ask anything" aria-label="Your question"
      aria-keyshortcuts="Enter" value=${draft.value} onInput=${(event) => (draft.value = event.target.value)}
      onKeyDown=${keys}></textarea>
    ${running.value
      ? html`<button type="button" class="send" title="Stop (Esc)" aria-label="Stop"
        onClick=${stop}><${Icon} name="stop" /></button>`
      : html`<button type="submit" class="send" title="Send (Enter)" aria-label="Send" disabled=${!draft.value.trim()}>
          <${Icon} name="send" /></button>`}
  </form>`;
}

/** As high as its text; the style sheet sets the limit. */
function fit(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}
