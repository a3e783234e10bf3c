/*
SPDX-FileCopyrightText: The m365.offboarding contributors
SPDX-License-Identifier: GPL-3.0-or-later
*/
"use strict";
(function () {
  const root = document.documentElement;
  const list = document.getElementById("list");
  if (!list || list.children.length < 2) return;
  root.classList.add("js");

  const form = document.getElementById("tools");
  const search = document.getElementById("search");
  const sort = document.getElementById("sort");
  const all = document.getElementById("all");
  const shown = document.getElementById("shown");
  const nobody = document.getElementById("nobody");
  const rows = Array.from(list.children);
  // On paper each leaver stands in a table of verdicts, too.
  const verdicts = Array.from(document.getElementById("overview").children);
  const verdict = new Map(rows.map((row, index) => [row, verdicts[index]]));
  const number = new Intl.NumberFormat("en");
  document.getElementById("controls").hidden = false;

  // What can be searched for: who, where, and everything that identifies; not the names of doors, which all share.
  const texts = new Map();
  function text(row) {
    if (!texts.has(row)) {
      const parts = row.querySelectorAll("h3, .upn, .pill, code, .banner, bdi, .found");
      texts.set(row, Array.from(parts, (part) => part.textContent).join(" ").toLowerCase());
    }
    return texts.get(row);
  }

  function chosen(name) {
    return Array.from(form.querySelectorAll(`input[name=${name}]:checked`), (box) => box.value);
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const statuses = chosen("status");
    const marks = chosen("mark");
    let count = 0;
    for (const row of rows) {
      const own = (row.dataset.marks || "").split(" ");
      const fits =
        (!statuses.length || statuses.includes(row.dataset.status)) &&
        marks.every((mark) => own.includes(mark)) &&
        (!words.length || words.every((word) => text(row).includes(word)));
      row.hidden = verdict.get(row).hidden = !fits;
      count += fits ? 1 : 0;
    }
    nobody.hidden = count > 0;
    root.classList.toggle("filtered", count < rows.length);
    shown.textContent = `${number.format(count)} of ${number.format(rows.length)} shown`;
  }

  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const name = (row) => row.querySelector("h3").textContent;
  const latestFirst = (key) => (a, b) => (b.dataset[key] || "").localeCompare(a.dataset[key] || "");
  const orders = {
    worst: () => 0,
    name: (a, b) => collator.compare(name(a), name(b)),
    left: latestFirst("left"),
    shut: latestFirst("shut"),
    tenant: (a, b) => collator.compare(a.dataset.tenant || "", b.dataset.tenant || ""),
  };
  function arrange() {
    // The rows stand worst first already, and sorting keeps that order among equals.
    const sorted = rows.slice().sort(orders[sort.value]);
    list.append(...sorted);
    document.getElementById("overview").append(...sorted.map((row) => verdict.get(row)));
  }

  function setAll(open) {
    for (const row of rows) if (!row.hidden) row.firstElementChild.open = open;
  }

  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  form.addEventListener("change", (event) => (event.target === sort ? arrange() : filter()));
  form.addEventListener("submit", (event) => event.preventDefault());
  all.addEventListener("click", () => {
    const open = all.getAttribute("aria-expanded") !== "true";
    setAll(open);
    all.setAttribute("aria-expanded", String(open));
    all.textContent = open ? "Close all" : "Open all";
  });

  // On paper everything is open. What was shut before is shut again afterwards.
  let shutBefore = [];
  addEventListener("beforeprint", () => {
    shutBefore = rows.filter((row) => !row.hidden && !row.firstElementChild.open);
    for (const row of shutBefore) row.firstElementChild.open = true;
  });
  addEventListener("afterprint", () => {
    for (const row of shutBefore) row.firstElementChild.open = false;
    shutBefore = [];
  });

  // A browser that goes back in its history restores the controls, not what they did.
  filter();
  if (sort.value !== "worst") arrange();
})();
