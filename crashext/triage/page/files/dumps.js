/* SPDX-License-Identifier: GPL-3.0-or-later */
// The dumps: decoded, searched, sorted. Rows are named by their number in the data.
const dumps = (() => {
  const data = JSON.parse(byId("data").textContent), rows = data.rows;
  byId("data").remove();
  const at = Object.fromEntries(data.columns.map((name, number) => [name, number]));
  // A number in one of the first columns is a text that was there before.
  const texts = Array.from({length: data.coded}, () => []);
  for (const row of rows) {
    for (let column = 0; column < data.coded; column++) {
      const value = row[column], known = texts[column];
      if (typeof value === "number") row[column] = known[value];
      else if (value !== null && known.length < data.known) known.push(value);
    }
  }
  const VERDICTS = ["failed", "damaged", "uncertain", "needs_repair", "openable", "not_a_dump"];
  const made = {
    kernel: (row) => row[at.build_id] ?? row[at.release],
    stop: (row) => row[at.panic] === null ? null : row[at.panic_function] ?? row[at.panic],
    // The reason of a good verdict is why that kernel, not what happened.
    trouble: (row) => /openable|needs_repair/.test(row[at.verdict]) ? null : row[at.reason],
    happened: (row) => made.stop(row) ?? made.trouble(row),
    sort: (row) => row[at.reason] && row[at.reason].replace(/0x[0-9a-f]+|[0-9]+/g, "#"),
    order: (row) => VERDICTS.indexOf(row[at.verdict]),
  };
  const reader = (name) => made[name] ?? ((row) => row[at[name]]);
  const get = (number, name) => reader(name)(rows[number]);

  const SEARCHED = ["folder", "name", "verdict", "failure", "release", "build_id", "arch", "format",
    "hostname", "panic", "panic_function", "reason", "changes", "last_log", "moment"].map((name) => at[name]);
  let searched = null;
  function find(words, pairs) {
    searched ??= rows.map((row) => SEARCHED.map((column) => row[column] ?? "").join("\n")
      .replace("needs_repair", "needs repair").replace("not_a_dump", "not a dump").toLowerCase());
    const wanted = words.toLowerCase().split(" ").filter(Boolean);
    const exact = pairs.map(([name, value]) => [reader(name), value]);
    return (number) => wanted.every((word) => searched[number].includes(word))
      && exact.every(([read, value]) => read(rows[number]) === value);
  }

  // Numbers in texts count as numbers: 6.1 comes before 6.10.
  const natural = (value) => typeof value !== "string" ? value
    : value.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(16, "0"));
  const orders = new Map();
  // The different values alone are sorted, without calling back: there are often few.
  function order(name) {
    if (orders.has(name)) return orders.get(name);
    const read = name === "name" ? null : reader(name === "verdict" ? "order" : name);
    const places = new Map(), alike = new Map(), unknown = [];
    rows.forEach((row, number) => {
      const value = read ? read(row) : number, others = places.get(value);
      if (value === null) unknown.push(number);
      else if (others) others.push(number);
      else places.set(value, [number]);
    });
    for (const [value, numbers] of places) {
      const key = name === "moment" ? value : natural(value);
      alike.set(key, alike.has(key) ? alike.get(key).concat(numbers) : numbers);
    }
    const keys = [...alike.keys()];
    const sorted = typeof keys[0] === "number" ? [...Float64Array.from(keys).sort()] : keys.sort();
    orders.set(name, {known: sorted.flatMap((key) => alike.get(key)), unknown});
    return orders.get(name);
  }
  // What isn't known is last, whichever way round.
  function view({words = "", pairs = [], by = "name", turned = false}) {
    const {known, unknown} = order(by);
    const every = [...(turned ? [...known].reverse() : known), ...unknown];
    return words.trim() || pairs.length ? every.filter(find(words, pairs)) : every;
  }
  return {get, view, count: rows.length};
})();

const sizeText = (bytes) => {
  for (const [unit, shift] of [["TiB", 40], ["GiB", 30], ["MiB", 20], ["KiB", 10]])
    if (bytes >= 2 ** shift) return Number((bytes / 2 ** shift).toPrecision(3)) + " " + unit;
  return bytes === null ? "" : bytes + " bytes";
};
