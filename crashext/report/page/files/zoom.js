/* SPDX-License-Identifier: GPL-3.0-or-later */
// The memory map: a window [low, high] of its line, 0 to 1, is spread over the whole width.
(() => {
  const box = byId("zoom"), picture = box.querySelector("svg");
  const LEFT = 132, WIDTH = 1028, LEAST = 2.5;
  const bars = [...picture.querySelectorAll("[data-a]")].map((element) => ({
    element, a: Number(element.dataset.a), b: Number(element.dataset.b ?? element.dataset.a),
    dx: Number(element.dataset.dx ?? 0), tag: element.tagName,
    curve: element.tagName === "g" ? element.querySelector("path") : null,
    home: Number(element.dataset.x), move: 0,
  }));
  const parts = box.dataset.axis.split(" ").map((text) => {
    const [start, end, left, right, folded] = text.split(",");
    return {start: BigInt("0x" + start), end: BigInt("0x" + end), left: Number(left), right: Number(right), folded: folded === "1"};
  });
  const ruler = picture.querySelector(".ruler"), RULER = Number(ruler.querySelector("path")?.getAttribute("d").match(/ ([\d.]+)v/)[1] ?? 0);
  // No deeper than a page.
  const bytes = parts.reduce((sum, each) => sum + (each.folded ? 0 : Number(each.end - each.start)), 0);
  const deepest = Math.min(4096 / bytes, 1);
  let low = 0, high = 1, moved = false;

  function address(place) {
    const part = parts.find((each) => place <= each.right) ?? parts.at(-1);
    const share = (place - part.left) / (part.right - part.left || 1);
    const fine = BigInt(Math.round(Math.min(Math.max(share, 0), 1) * 2 ** 52));
    return part.start + ((part.end - part.start) * fine >> 52n);
  }

  function draw() {
    const scale = WIDTH / (high - low);
    const x = (place) => LEFT + (place - low) * scale;
    for (const {element, a, b, dx, tag, curve, home} of bars) {
      if (tag === "rect") {
        // Far outside numbers would be too large for a picture: cut to just beyond the edges.
        const left = Math.max(x(a), LEFT - 50), right = Math.min(x(b), LEFT + WIDTH + 50);
        const width = Math.max(right - left, LEAST);
        const gone = x(b) < LEFT - 10 || x(a) > LEFT + WIDTH + 10;
        element.setAttribute("x", gone ? -1000 : Math.min(left, low === 0 && high === 1 ? LEFT + WIDTH - width : left));
        element.setAttribute("width", width);
      } else if (tag === "text") {
        element.setAttribute("x", Math.min(Math.max(x(a) + dx + (dx > 0 ? LEAST - 1 : 0), -9000), 9000));
      } else if (curve) {
        const whole = low === 0 && high === 1;
        const inside = a >= low && a <= high;
        const end = x(a), begin = whole ? home : Math.min(Math.max(end, LEFT + 14), LEFT + WIDTH - 14);
        element.setAttribute("visibility", inside ? "visible" : "hidden");
        if (inside) {
          curve.setAttribute("d", `M${begin} 38C${begin} 66 ${end} 58 ${end} 90`);
          for (const each of element.querySelectorAll("rect, text")) each.setAttribute("transform", `translate(${begin - home})`);
        }
      }
    }
    ticks(x);
    const times = 1 / (high - low);
    byId("window").textContent = times > 1.001
      ? `0x${address(low).toString(16)} to 0x${address(high).toString(16)}, ${times < 1e4 ? Math.round(times) : times.toExponential(1)} times`
      : "";
  }

  function size(bytes) {
    for (const [unit, shift] of [["TiB", 40n], ["GiB", 30n], ["MiB", 20n], ["KiB", 10n]])
      if (bytes >> shift) return Number((Number(bytes) / 2 ** Number(shift)).toPrecision(4)) + " " + unit;
    return bytes ? bytes + " bytes" : "0";
  }
  function add(name, attributes, words) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (words !== undefined) made.textContent = words;
    ruler.append(made);
  }
  // Multiples of a power of two, as many as there is room for.
  function ticks(x) {
    ruler.replaceChildren();
    const seen = parts.filter((each) => each.right - each.left > 0 && each.left < high && each.right > low && !each.folded);
    const bytes = seen.reduce((sum, each) => sum + Number(each.end - each.start)
      * (Math.min(high, each.right) - Math.max(low, each.left)) / (each.right - each.left), 0);
    let step = 1n, free = 0;
    while (Number(step) * 9 < bytes) step *= 2n;
    for (const each of seen) {
      const first = address(Math.max(low, each.left)), last = address(Math.min(high, each.right));
      const scale = (each.right - each.left) / Number(each.end - each.start);
      for (let at = (first + step - 1n) / step * step, n = 0; at <= last && n < 64; at += step, n++) {
        const place = x(each.left + Number(at - each.start) * scale);
        if (place < Math.max(free, LEFT - 1) || place > LEFT + WIDTH + 1) continue;
        add("path", {class: "tick", d: `M${place} ${RULER}v6`});
        add("text", {class: "address", x: place, y: RULER + 20, "text-anchor": "middle"}, "0x" + at.toString(16));
        add("text", {class: "address", x: place, y: RULER + 35, "text-anchor": "middle"}, size(at));
        free = place + 108;
      }
    }
  }

  function look(middle, width, anchor = 0.5) {
    width = Math.min(Math.max(width, deepest), 1);
    low = Math.min(Math.max(middle - width * anchor, 0), 1 - width);
    high = low + width;
    draw();
  }
  // Zooming by key goes towards what is alive, the first vCPU's code, until it is moved.
  const alive = bars.find((bar) => bar.curve)?.a ?? bars.find((bar) => bar.element.matches(".kernel"))?.a;
  function closer() {
    if (moved || alive === undefined) return look((low + high) / 2, (high - low) / 2);
    look(alive, (high - low) / 2, ((alive - low) / (high - low) + 0.5) / 2);
  }
  const steps = {
    in: closer,
    out: () => look((low + high) / 2, (high - low) * 2),
    left: () => move(-1),
    right: () => move(1),
    all: () => { moved = false; look(0.5, 1); },
  };
  function move(way) {
    moved = true;
    look((low + high) / 2 + way * (high - low) / 4, high - low);
  }
  for (const name of Object.keys(steps)) byId(name).addEventListener("click", steps[name]);
  const keys = {"+": "in", "=": "in", "-": "out", "0": "all", ArrowLeft: "left", ArrowRight: "right"};
  box.addEventListener("keydown", (event) => {
    const name = keys[event.key];
    if (!name || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    steps[name]();
  });
  const share = (event) => {
    const frame = picture.getBoundingClientRect();
    return ((event.clientX - frame.left) / frame.width * 1200 - LEFT) / WIDTH;
  };
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const at = Math.min(Math.max(share(event), 0), 1);
    moved = true;
    look(low + at * (high - low), (high - low) * ((event.deltaY || event.deltaX) > 0 ? 1.4 : 1 / 1.4), at);
  }, {passive: false});
  box.addEventListener("dblclick", (event) => {
    const at = Math.min(Math.max(share(event), 0), 1);
    moved = true;
    look(low + at * (high - low), (high - low) / 4, at);
  });
  let held = null;
  box.addEventListener("pointerdown", (event) => { held = {at: share(event), low}; });
  addEventListener("pointerup", () => { held = null; });
  box.addEventListener("pointermove", (event) => {
    if (!held || high - low === 1) return;
    const width = high - low;
    moved = true;
    look(held.low - (share(event) - held.at) * width + width / 2, width);
  });
})();
