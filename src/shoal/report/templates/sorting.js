// Tables sort by any column. The headers become buttons: one press sorts upwards, the next downwards, the third puts
// the rows back as they were. Numbers are compared as numbers: the first of a cell counts ("0.42 [0.40, 0.44]",
// "3.1 ± 0.2", "1,234", "−1.2×10⁻⁵", "47 %", "1 min 15 s"). Cells that hold nothing come last either way.
"use strict";
(() => {
  const UNITS = { ns: 1e-9, "µs": 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600 };
  const RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", PLAIN = "-0123456789";
  const NUMBER = /^[<>≤≥≈~]?\s*([+-]?)(\d[\d,]*(?:\.\d+)?|\.\d+)(?:×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?(?![\d\p{L}]*\p{L}{4})/u;
  const PART = /([\d.]+)\s(ns|µs|ms|s|min|h)(?![\p{L}])/gu;
  const words = new Intl.Collator("en", { numeric: true });

  const said = cell => cell.textContent.trim().replaceAll("−", "-").replaceAll("\u00a0", " ");
  const nothing = text => text === "" || text === "–" || text === "-";

  const number = text => {
    if (/^[+-]?∞/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
    const found = NUMBER.exec(text);
    if (!found) return NaN;
    const power = [...(found[3] || "")].map(letter => PLAIN[RAISED.indexOf(letter)]).join("");
    const size = Number(found[2].replaceAll(",", "")) * 10 ** Number(power || 0);
    const times = [...text.matchAll(PART)];
    const whole = times.length ? times.reduce((sum, [, many, unit]) => sum + many * UNITS[unit], 0) : size;
    return found[1] === "-" ? -whole : whole;
  };

  const sorted = (rows, place, way) => {
    const texts = new Map(rows.map(row => [row, said(row.cells[place])]));
    const known = [...texts.values()].filter(text => !nothing(text));
    const numeric = known.every(text => !Number.isNaN(number(text)));
    const compare = (a, b) => {
      const [x, y] = [texts.get(a), texts.get(b)];
      if (nothing(x) || nothing(y)) return nothing(x) - nothing(y);
      const [p, q] = [number(x), number(y)];
      return way * (numeric ? (p > q) - (p < q) : words.compare(x, y));
    };
    return [...rows].sort(compare);
  };

  const prepare = table => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows];
    if (rows.length < 2) return;
    const press = (head, place) => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort];
      heads.forEach(other => { other.ariaSort = "none"; });
      head.ariaSort = next;
      const way = next === "descending" ? -1 : 1;
      body.append(...(next === "none" ? rows : sorted(rows, place, way)));
    };
    heads.forEach((head, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.ariaSort = "none";
      button.addEventListener("click", () => press(head, place));
    });
  };

  document.querySelectorAll(".scroll > table").forEach(prepare);
})();
