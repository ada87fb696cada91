// The page.
import { render } from "preact";
import { Chat } from "./chat.js";
import { refresh } from "./conversation.js";
import { CopyDialog } from "./copies.js";
import { Header } from "./header.js";
import { History } from "./history.js";
import { html } from "./html.js";
import { IconButton } from "./icons.js";
import { Images } from "./images.js";
import { Inspector } from "./inspector.js";
import { takeFromFragment } from "./key.js";
import { KeyDialog } from "./keydialog.js";
import { KeyboardDialog, listen } from "./keyboard.js";
import { load, ModelDialog } from "./models.js";
import { Notice } from "./notice.js";
import { Sampling } from "./sampling.js";
import { follow } from "./settings.js";
import { panel, tab } from "./view.js";

function Page() {
  return html`<${Header} />
    <div class=${tab.value === "chat" ? "below" : "below pictures"}>
      ${tab.value === "chat" && html`<${History} />`}
      <main>${tab.value === "chat" ? html`<${Chat} />` : html`<${Images} />`}</main>
      ${tab.value === "chat" && panel.value && html`<${Panel} />`}
    </div>
    <${ModelDialog} /><${CopyDialog} /><${KeyboardDialog} /><${KeyDialog} />
    <${Notice} />`;
}

function Panel() {
  const title = panel.value === "prompt" ? "Exact prompt" : "Settings";
  return html`<aside class="panel" aria-label=${title}>
    <header><h2>${title}</h2><${IconButton} icon="close" label=${`Close: ${title}`}
      onClick=${() => (panel.value = null)} /></header>
    ${panel.value === "prompt" ? html`<${Inspector} />` : html`<${Sampling} />`}
  </aside>`;
}

takeFromFragment();
follow();
listen();
render(html`<${Page} />`, document.getElementById("page"));
load();
refresh();
