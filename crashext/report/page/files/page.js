/* SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
const byId = (id) => document.getElementById(id);
document.documentElement.classList.add("js");

// A file:// page may be denied the clipboard; then the text is selected, to be copied by key.
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const code = button.previousElementSibling;
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(code.textContent);
      byId("copied").textContent = "Copied: " + code.textContent;
    } catch {
      byId("copied").textContent = "Selected: press Ctrl+C";
    }
  });
}

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const each of opened) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of opened) each.open = false;
});
