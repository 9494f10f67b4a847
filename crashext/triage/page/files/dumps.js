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
  // By the ranks of the different values, of which there are often few.
  function order(name) {
    if (!orders.has(name)) {
      const read = name === "name" ? null : reader(name === "verdict" ? "order" : name);
      const values = rows.map(read ?? ((_, number) => number));
      const different = [...new Set(values)].filter((value) => value !== null);
      const key = name === "moment" ? (value) => value : natural;
      const keys = different.map((value) => [key(value), value]);
      keys.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
      const ranked = new Map(keys.map(([, value]) => [value, []])), unknown = [];
      values.forEach((value, number) => (ranked.get(value) ?? unknown).push(number));
      orders.set(name, {known: [...ranked.values()].flat(), unknown});
    }
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
