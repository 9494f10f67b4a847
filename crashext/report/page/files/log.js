/* SPDX-License-Identifier: GPL-3.0-or-later */
// The log: lines without what is sought, or of lesser levels, are hidden.
(() => {
  const log = byId("log"), find = byId("find"), level = byId("level");
  if (!log) return;
  const lines = [...log.children].map((line) => {
    const text = line.lastChild;
    return {line, text, words: text.data || "", lower: line.textContent.toLowerCase(),
      level: line.dataset.l === undefined ? 0 : Number(line.dataset.l)};
  });
  log.scrollTop = log.scrollHeight;

  function marked(words, wanted) {
    const part = document.createDocumentFragment();
    const lower = words.toLowerCase();
    let at = 0;
    for (let next = lower.indexOf(wanted); next >= 0; next = lower.indexOf(wanted, at)) {
      part.append(words.slice(at, next));
      const mark = document.createElement("mark");
      mark.textContent = words.slice(next, next + wanted.length);
      part.append(mark);
      at = next + wanted.length;
    }
    part.append(words.slice(at));
    return part;
  }

  function show() {
    const wanted = find.value.toLowerCase(), worst = Number(level.value);
    let count = 0;
    for (const each of lines) {
      const fits = each.lower.includes(wanted) && each.level <= worst;
      if (each.shown) each.line.replaceChildren(...each.before);
      each.shown = undefined;
      each.line.hidden = !fits;
      count += fits;
      if (fits && wanted) {
        each.before = [...each.line.childNodes];
        each.shown = marked(each.words, wanted);
        each.text.replaceWith(each.shown);
        each.shown = true;
      }
    }
    const all = !wanted && worst === 7;
    byId("matches").textContent = all ? "" : count + (count === 1 ? " line" : " lines");
    if (all) log.scrollTop = log.scrollHeight;
  }

  let due;
  find.addEventListener("input", () => {
    clearTimeout(due);
    due = setTimeout(show, 120);
  });
  level.addEventListener("change", show);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      find.focus();
    } else if (event.key === "Escape" && event.target === find) {
      find.value = "";
      show();
      log.focus();
    }
  });
})();
