// What a model wrote, as elements. It is hostile until shown otherwise: HTML in it is text, links lead to the web and
// say where, no picture is fetched, and what is left goes through DOMPurify into a Content-Security-Policy.
import DOMPurify from "dompurify";
import { Parser, Renderer } from "marked";
import { OPTIONS } from "./blocks.js";
import { markHidden } from "./characters.js";

const WEB = /^(?:https?:\/\/|mailto:)/i;
const INLINE_PICTURE = /^data:image\/(?:png|jpeg|webp|gif);base64,[a-z0-9+/=]+$/i;
const PURIFIER = {
  ALLOWED_TAGS: (
    "a blockquote br code del em h3 h4 h5 h6 hr img input li ol p pre s span strong table tbody td th thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["href", "src", "alt", "title", "align", "class", "start", "type", "checked", "disabled"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:|data:image\/(?:png|jpeg|webp|gif);base64,)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

class Plain extends Renderer {
  html({ text }) {
    return escaped(text);
  }

  image({ href, text }) {
    const words = escaped(text);
    if (INLINE_PICTURE.test(href)) return `<img src="${href}" alt="${words}">`;
    return `<span class="no-picture" title="${escaped(href)}">${words || "picture"}</span>`;
  }

  /** Below the page's own headings, so that the page's outline stays one. */
  heading({ tokens, depth }) {
    const level = Math.min(6, depth + 2);
    return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
  }

  link({ href, title, tokens }) {
    const words = this.parser.parseInline(tokens);
    if (!WEB.test(href)) return words;
    return `<a href="${escaped(href)}"${title ? ` title="${escaped(title)}"` : ""}>${words}</a>`;
  }

  code({ text, lang }) {
    const name = /^[\w+#.-]{1,20}/.exec(lang ?? "")?.[0] ?? "";
    return `<pre><span class="language">${escaped(name)}</span><code>${escaped(text)}</code></pre>`;
  }
}

/** One block, a token of marked, as a fragment that is safe to show. */
export function rendered(token) {
  const parser = new Parser({ ...OPTIONS, renderer: new Plain() });
  const fragment = DOMPurify.sanitize(parser.parse([token]), PURIFIER);
  fragment.querySelectorAll("a").forEach(fence);
  fragment.querySelectorAll("input").forEach(checkbox);
  fragment.querySelectorAll("pre, table").forEach(reachable);
  markHidden(fragment);
  return fragment;
}

/** A link opens beside the page, tells its target nothing, and shows the host that it leads to. */
function fence(link) {
  const href = link.getAttribute("href") ?? "";
  if (!WEB.test(href)) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  const target = link.protocol === "mailto:" ? link.pathname : link.host;
  if (link.textContent.trim() === href) return;
  const shown = document.createElement("span");
  shown.className = "target";
  shown.textContent = ` (${target})`;
  link.append(shown);
}

function checkbox(input) {
  input.type = "checkbox";
  input.disabled = true;
  input.setAttribute("aria-label", input.checked ? "done" : "to do");
}

/** What scrolls sideways can be reached by keyboard. */
function reachable(element) {
  element.tabIndex = 0;
}

function escaped(text) {
  return text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}
