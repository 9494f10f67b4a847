/* SPDX-License-Identifier: GPL-3.0-or-later */
// The map of page kinds: what the square under the pointer, or the one chosen by key, holds.
(() => {
  const box = byId("cells");
  if (!box) return;
  const picture = box.querySelector("svg"), cursor = picture.querySelector(".cursor");
  const codes = picture.dataset.cells, starts = picture.dataset.starts.split(" ");
  const LEFT = 104, SIDE = 9, COLUMNS = 128, WIDE = LEFT + COLUMNS * SIDE;
  let chosen = -1;

  const percent = (digit) => Math.round(parseInt(digit, 36) / 35 * 100);
  function words(code) {
    if (code === "...") return "no RAM";
    if (code === "???") return "not looked at";
    const zero = percent(code[0]), gone = percent(code[1]), used = Math.max(100 - zero - gone, 0);
    const said = [];
    if (zero) said.push(`${zero} % zeros`);
    if (gone) said.push(`${gone} % not in the dump`);
    if (used) said.push(`${used} % in use, packs to ${percent(code[2])} %`);
    return said.join(", ");
  }
  function choose(number) {
    chosen = Math.min(Math.max(number, 0), starts.length - 1);
    cursor.setAttribute("x", LEFT + chosen % COLUMNS * SIDE - 1);
    cursor.setAttribute("y", Math.floor(chosen / COLUMNS) * SIDE - 1);
    cursor.setAttribute("visibility", "visible");
    byId("cell").textContent = `from 0x${starts[chosen]}: ${words(codes.substr(chosen * 3, 3))}`;
  }
  const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS};
  box.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(chosen < 0 ? 0 : chosen + step);
  });
  picture.addEventListener("pointermove", (event) => {
    const frame = picture.getBoundingClientRect(), scale = WIDE / frame.width;
    const column = Math.floor(((event.clientX - frame.left) * scale - LEFT) / SIDE);
    const row = Math.floor((event.clientY - frame.top) * scale / SIDE);
    if (column >= 0 && column < COLUMNS && row >= 0 && row * COLUMNS < starts.length) choose(row * COLUMNS + column);
  });
})();
