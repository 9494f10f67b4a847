/* SPDX-License-Identifier: GPL-3.0-or-later */
// What is known of one dump, and where to go on from there.
(() => {
  const dialog = byId("dump"), facts = byId("dump-facts");
  const FACTS = [["Verdict", "verdict"], ["Failure", "failure"], ["Reason", "reason"],
    ["A repair changes", "changes"], ["Repaired", "repaired"], ["Repaired file", "repaired_to"],
    ["Of the repair", "repair_note"], ["Kernel", "release"], ["Build ID", "build_id"],
    ["Confidence", "confidence"], ["Host", "hostname"], ["Panic", "panic"], ["In", "panic_function"],
    ["Last message", "last_log"], ["Booted", "boot_time"], ["Up", "uptime"], ["File", "size"],
    ["Guest's memory", "ram_bytes"], ["Format", "format"], ["Compression", "compression"],
    ["Architecture", "arch"], ["Written by", "origin"], ["Read", "bytes_read"], ["Requests", "requests"], ["Took", "seconds"]];
  const SHOWN = {
    size: sizeText, ram_bytes: sizeText, bytes_read: sizeText,
    uptime: (seconds) => `${seconds} s`, seconds: (seconds) => `${seconds} s`,
    verdict: (text) => text.replaceAll("_", " "), repaired: (text) => text.replaceAll("_", " "),
  };

  function show(index) {
    const number = table.at(index), get = (name) => dumps.get(number, name);
    byId("dump-title").textContent = get("folder") + get("name");
    const report = byId("dump-report");
    report.replaceChildren();
    if (get("report")) {
      const link = document.createElement("a");
      link.href = get("report");
      link.textContent = "Its report";
      report.append(link);
    }
    facts.replaceChildren();
    for (const [label, name] of FACTS) {
      const value = get(name);
      if (value === null || value === "") continue;
      const term = document.createElement("dt"), what = document.createElement("dd");
      term.textContent = label;
      what.textContent = (SHOWN[name] ?? String)(value);
      facts.append(term, what);
    }
    const word = get("word") ?? get("folder") + get("name");
    const [write, open] = byId("dump-commands").children;
    write.hidden = Boolean(get("report"));
    open.hidden = !get("local") || !get("release");
    write.querySelector("code").textContent = get("local") ? `qemufix report ${word} -o ${get("page")}`
      : `qemufix triage ${word} --reports ${dialog.dataset.reports}`;
    open.querySelector("code").textContent = `qemufix crash ${word}`;
    byId("copied").textContent = "";
    byId("dump-before").disabled = index === 0;
    byId("dump-next").disabled = table.at(index + 1) === undefined;
  }
  function step(by) {
    table.go(table.current + by);
    show(table.current);
  }
  table.opened = (index) => {
    show(index);
    dialog.showModal();
  };
  byId("dump-before").addEventListener("click", () => step(-1));
  byId("dump-next").addEventListener("click", () => step(1));
  byId("dump-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
})();
