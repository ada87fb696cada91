// The conversations that this browser keeps.
import { begin, forget, id, kept, open } from "./conversation.js";
import { downloadJson } from "./download.js";
import { html } from "./html.js";
import { Icon, IconButton } from "./icons.js";
import { drawer } from "./view.js";

export function History() {
  const chosen = (act) => () => (act(), (drawer.value = false));
  return html`<nav class=${drawer.value ? "history open" : "history"} aria-label="Conversations">
    <div class="row">
      <button type="button" class="new" onClick=${chosen(begin)}><${Icon} name="plus" /> New conversation</button>
      <${IconButton} icon="close" label="Close the list" class="icon-button narrow"
        onClick=${() => (drawer.value = false)} />
    </div>
    <ul>
      ${kept.value.map((file) => html`<li key=${file.id} class=${file.id === id.value ? "chosen" : ""}>
        <button type="button" class="entry" aria-current=${file.id === id.value ? "true" : undefined}
          onClick=${chosen(() => open(file))}>${file.title}</button>
        <${IconButton} icon="save" label=${`Export “${file.title}” as JSON`} onClick=${() => exported([file])} />
        <${IconButton} icon="bin" label=${`Delete “${file.title}”`} onClick=${() => forget(file)} />
      </li>`)}
    </ul>
    <footer>
      <p class="hint">Kept in this browser only.</p>
      ${kept.value.length > 0 && html`<button type="button" class="quiet" onClick=${() => exported(kept.value)}>
        <${Icon} name="save" /> Export all</button>`}
    </footer>
  </nav>`;
}

function exported(conversations) {
  const name = conversations.length === 1 ? `conversation-${conversations[0].id.slice(0, 8)}` : "conversations";
  downloadJson(`hfgen-${name}.json`, { format: "hfgen-conversations-1", conversations });
}
