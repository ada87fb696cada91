// A modal dialog: the browser's own, which keeps the focus inside and gives it back.
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { html } from "./html.js";
import { IconButton } from "./icons.js";
import { Notice } from "./notice.js";

export function Dialog({ open, title, onClose, children, wide = false }) {
  const box = useRef();
  const name = useId();
  useLayoutEffect(() => {
    if (open && !box.current.open) box.current.showModal();
    if (!open && box.current.open) close(box.current);
  }, [open]);
  const outside = (event) => event.target === box.current && onClose();
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-labelledby=${name} onClose=${onClose}
    onClick=${outside}>
    <div class="dialog-body">
      <header><h2 id=${name}>${title}</h2><${IconButton} icon="close" label="Close" onClick=${onClose} /></header>
      ${open && children}
      ${open && html`<${Notice} />`}
    </div>
  </dialog>`;
}

/** The browser gives the focus back; Chromium 150 without a caret, so that a text field would take no letter. */
function close(box) {
  box.close();
  const back = document.activeElement;
  back?.blur();
  back?.focus();
}
