/* SPDX-License-Identifier: GPL-3.0-or-later */
// The table: only the rows in sight are there, of whatever number.
const table = (() => {
  const box = byId("rows"), grid = byId("table"), body = grid.tBodies[0];
  const find = byId("find"), sort = byId("sort"), turned = byId("turned"), everything = byId("everything");
  const HEIGHT = 46, TALLEST = 8e6, PRINTED = 1000, SPARE = 6, TAIL = /^.+(.{26})$/;
  const COLUMNS = ["verdict", "name", "release", "hostname", "happened", "moment", "size"];
  const REPAIRS = {in_place: "repaired", beside: "repaired beside", refused: "not repaired"};
  let shown = [], current = -1, pairs = [], drawn = "", terms = [];

  function lines(number) {
    const get = (name) => dumps.get(number, name) ?? "";
    const happened = get("happened"), panic = get("panic");
    return [
      [get("verdict").replaceAll("_", " "), get("failure") || REPAIRS[get("repaired")]],
      [get("name"), get("folder").replace(TAIL, "\u2026$1")],
      [get("release"), get("arch")],
      [get("hostname"), ""],
      [happened, panic !== happened && panic || !happened && get("last_log")],
      [get("moment"), ""],
      [sizeText(dumps.get(number, "size")), ""],
    ];
  }
  function marked(parent, words) {
    const lower = words.toLowerCase();
    let from = 0;
    while (terms.length) {
      const hits = terms.map((term) => [lower.indexOf(term, from), term]).filter(([place]) => place >= 0);
      if (!hits.length) break;
      const [place, term] = hits.reduce((a, b) => a[0] <= b[0] ? a : b);
      const mark = document.createElement("mark");
      mark.textContent = words.slice(place, place + term.length);
      parent.append(words.slice(from, place), mark);
      from = place + term.length;
    }
    parent.append(words.slice(from));
  }
  function rowOf(index) {
    const number = shown[index], row = document.createElement("tr");
    row.id = "row" + index;
    row.dataset.index = index;
    row.setAttribute("aria-rowindex", index + 2);
    row.setAttribute("aria-selected", index === current);
    lines(number).forEach((words, column) => {
      const cell = row.insertCell();
      cell.className = "c-" + COLUMNS[column];
      words.forEach((text, line) => {
        if (!text) return;
        const part = document.createElement("div");
        if (line || !words[0]) part.className = "quiet";
        else if (!column) part.className = "verdict " + dumps.get(number, "verdict");
        const report = column === 1 && !line && dumps.get(number, "report");
        const inside = report ? document.createElement("a") : part;
        if (report) {
          inside.href = report;
          inside.tabIndex = -1;
          part.append(inside);
        }
        marked(inside, text);
        part.title = column === 1 ? dumps.get(number, "folder") + dumps.get(number, "name") : text;
        cell.append(part);
      });
    });
    return row;
  }
  function gap(height) {
    const row = document.createElement("tr");
    row.className = "gap";
    row.setAttribute("role", "presentation");
    row.insertCell().style.height = height + "px";
    return row;
  }

  const fit = () => Math.max(Math.floor((box.clientHeight - grid.tHead.offsetHeight) / HEIGHT), 1);
  const tall = () => Math.min(shown.length * HEIGHT, TALLEST);
  const scaled = () => shown.length * HEIGHT > TALLEST;
  const room = () => tall() - fit() * HEIGHT;
  const first = () => scaled() ? Math.round(box.scrollTop / room() * (shown.length - fit())) : Math.floor(box.scrollTop / HEIGHT);
  function reach(index) {
    if (scaled()) box.scrollTop = index / (shown.length - fit()) * room();
    else box.scrollTop = index * HEIGHT;
  }
  // Fewer elements than a browser has room for: far beyond, the place is to scale.
  function draw(from = Math.max(first() - (scaled() ? 0 : SPARE), 0), to = Math.min(first() + fit() + SPARE, shown.length)) {
    const before = scaled() ? Math.min(box.scrollTop, tall() - (to - from) * HEIGHT) : from * HEIGHT;
    const after = Math.max(tall() - before - (to - from) * HEIGHT, 0);
    const now = [from, to, current, before].join();
    if (now === drawn) return;
    drawn = now;
    const rows = [];
    for (let index = from; index < to; index++) rows.push(rowOf(index));
    body.replaceChildren(...(before > 0 ? [gap(before)] : []), ...rows, ...(after > 0 ? [gap(after)] : []));
    if (current >= from && current < to) grid.setAttribute("aria-activedescendant", "row" + current);
    else grid.removeAttribute("aria-activedescendant");
  }
  let due;
  function update() {
    clearTimeout(due);
    due = undefined;
    terms = find.value.toLowerCase().split(" ").filter(Boolean);
    shown = dumps.view({words: find.value, pairs, by: sort.value, turned: turned.checked});
    current = -1;
    drawn = "";
    box.scrollTop = 0;
    grid.setAttribute("aria-rowcount", shown.length + 1);
    byId("matches").textContent = shown.length === dumps.count ? dumps.count.toLocaleString("en") + " dumps"
      : `${shown.length.toLocaleString("en")} of ${dumps.count.toLocaleString("en")}`;
    for (const button of grid.tHead.querySelectorAll("button")) {
      const way = button.dataset.key === sort.value ? turned.checked ? "descending" : "ascending" : "none";
      button.parentElement.setAttribute("aria-sort", way);
    }
    draw();
  }
  function only(label, wanted) {
    pairs = wanted;
    everything.hidden = !pairs.length;
    everything.textContent = `Only ${label} \u2715`;
    everything.setAttribute("aria-label", `Only ${label}: show all again`);
    find.value = "";
    update();
  }
  function go(index) {
    if (!shown.length) return;
    current = Math.min(Math.max(index, 0), shown.length - 1);
    if (current < first()) reach(current);
    else if (current >= first() + fit()) reach(current - fit() + 1);
    draw();
  }

  find.addEventListener("input", () => {
    clearTimeout(due);
    due = setTimeout(update, 80);
  });
  sort.addEventListener("change", update);
  turned.addEventListener("change", update);
  everything.addEventListener("click", () => { only("", []); find.focus(); });
  for (const button of document.querySelectorAll(".only")) {
    button.addEventListener("click", () => {
      only(button.dataset.label, JSON.parse(button.dataset.only));
      byId("dumps").scrollIntoView();
      grid.focus({preventScroll: true});
    });
  }
  grid.tHead.addEventListener("click", (event) => {
    const key = event.target.closest("button")?.dataset.key;
    if (!key) return;
    turned.checked = sort.value === key && !turned.checked;
    sort.value = key;
    update();
  });
  box.addEventListener("scroll", () => requestAnimationFrame(() => draw()));
  addEventListener("resize", () => { drawn = ""; draw(); });
  addEventListener("beforeprint", () => {
    drawn = "";
    draw(0, Math.min(shown.length, PRINTED));
    for (const each of body.querySelectorAll(".gap")) each.remove();
  });
  addEventListener("afterprint", () => { drawn = ""; draw(); });
  const steps = {ArrowDown: () => 1, ArrowUp: () => -1, PageDown: fit, PageUp: () => -fit(), Home: () => -Infinity, End: () => Infinity};
  grid.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== grid) return;
    if (event.key === "Enter" && current >= 0) table.opened(current);
    else if (event.key in steps) go(current < 0 && event.key === "ArrowUp" ? 0 : current + steps[event.key]());
    else return;
    event.preventDefault();
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-index]");
    if (!row || event.target.closest("a") || String(getSelection())) return;
    go(Number(row.dataset.index));
    table.opened(current);
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      find.focus();
    } else if (event.target === find && (event.key === "Enter" || event.key === "ArrowDown")) {
      event.preventDefault();
      if (due !== undefined) update();
      grid.focus();
      go(0);
    } else if (event.target === find && event.key === "Escape") {
      only("", []);
    }
  });
  update();
  return {go, at: (index) => shown[index], get current() { return current; }, opened: () => {}};
})();
