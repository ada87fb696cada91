// The page's head: chat or images, the models, and what can be opened.
import { asked } from "./conversation.js";
import { html } from "./html.js";
import { IconButton } from "./icons.js";
import { ModelButton, picking } from "./models.js";
import { other, theme } from "./settings.js";
import { dialog, drawer, panel, tab, toggle } from "./view.js";

const THEMES = { auto: "light", light: "dark", dark: "auto" };
const SAID = { auto: "as the system", light: "light", dark: "dark" };

export function Header() {
  return html`<header class="top">
    ${tab.value === "chat" && html`<${IconButton} icon="menu" label="Conversations" class="icon-button narrow"
      onClick=${() => (drawer.value = true)} />`}
    <h1>hfgen</h1>
    <div class="tabs" role="group" aria-label="What to make">
      <${Tab} name="chat" label="Chat" /><${Tab} name="images" label="Images" />
    </div>
    ${tab.value === "chat" ? html`<${ChatTools} />` : html`<${PictureTools} />`}
    <${IconButton} icon="keys" label="Keyboard" onClick=${() => (dialog.value = "keys")} />
    <${IconButton} icon=${theme.value} label=${`Colours: ${SAID[theme.value]}`}
      onClick=${() => (theme.value = THEMES[theme.value])} />
  </header>`;
}

function Tab({ name, label }) {
  return html`<button type="button" aria-pressed=${tab.value === name}
    onClick=${() => (tab.value = name)}>${label}</button>`;
}

function PictureTools() {
  return html`<div class="tab-tools"><div class="chosen-models">
    <${ModelButton} place="painter" label="Model for pictures" />
  </div></div>`;
}

function ChatTools() {
  const compare = () => (other.value ? (other.value = "") : (picking.value = "other"));
  return html`<div class="tab-tools"><div class="chosen-models">
      <${ModelButton} place="model" label="Model" />
      ${asked.value.length > 1 && html`<span class="versus">and</span>
        <${ModelButton} place="other" label="Model to compare with" />`}
    </div>
    <span class="spring"></span>
    <div class="row openers">
      <${IconButton} icon="columns" label="Compare two models" aria-pressed=${Boolean(other.value)}
        onClick=${compare} />
      <${IconButton} icon="prompt" label="Exact prompt" aria-pressed=${panel.value === "prompt"}
        onClick=${() => toggle(panel, "prompt")} />
      <${IconButton} icon="sliders" label="Settings" aria-pressed=${panel.value === "settings"}
        onClick=${() => toggle(panel, "settings")} />
      <${IconButton} icon="code" label="Copy as a program"
        onClick=${() => (dialog.value = "copies")} />
    </div></div>`;
}
