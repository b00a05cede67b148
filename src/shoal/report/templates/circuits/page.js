"use strict";
// The page: what is shown follows from `state`; every change draws everything anew.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SIZE = DATA.vocabulary.length;
const LONGEST = DATA.max_len;
const byId = (id) => document.getElementById(id);
const copied = (head) => JSON.parse(JSON.stringify(head));
const state = { rule: 0, seed: 0, tokens: DATA.start, hand: null, learned: null, training: null };

const STEPS = [
  ["inputs", "X", "contents and places side by side"],
  ["queries", "Q = X W_Q", "what each place looks for"],
  ["keys", "K = X W_K", "what each place offers"],
  ["values", "V = X W_V", "what each place passes on"],
  ["scores", "Q Kᵀ / √d", "how well they meet"],
  ["attention", "softmax", "shares that sum to 1"],
  ["outputs", "attention × V", "the output of each place"],
];

function rule() {
  return DATA.rules[state.rule];
}

function chooseRule(index) {
  state.rule = index;
  state.seed = 0;
  state.training = null;
  state.hand = copied(rule().hand);
  state.learned = learnedHead(0);
  draw();
}

// A trained head; of a rule without any, one that begins: the reader trains it.
function learnedHead(seed) {
  const heads = rule().learned;
  return heads.length ? copied(heads[seed]) : randomHead(rule().hand, DATA.training.spread, 0);
}

// ------------------------------------------------------------------ names of rows and columns

function inputNames(head) {
  const places = head.positions ? Array.from({ length: LONGEST }, (_, i) => "p" + i) : [];
  return [...(head.null ? ["∅"] : []), ...DATA.vocabulary, ...places];
}

function rowNames(head, step) {
  const own = state.tokens.map((token, place) => DATA.vocabulary[token] + subscript(place));
  return head.null && ["inputs", "keys", "values"].includes(step) ? ["∅", ...own] : own;
}

function columnNames(head, step) {
  if (step === "inputs") return inputNames(head);
  if (step === "scores" || step === "attention") return rowNames(head, "keys");
  const width = { queries: head.W_Q[0].length, keys: head.W_K[0].length }[step];
  return width ? Array.from({ length: width }, (_, i) => "d" + i) : outputNames(head);
}

function outputNames(head) {
  return head.W_V[0].length === SIZE ? DATA.vocabulary : head.W_V[0].map((_, i) => "o" + i);
}

function subscript(number) {
  return String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

// ------------------------------------------------------------------ tables of numbers

function shown(value) {
  if (Math.abs(value) < 5e-4) return "0";
  const digits = Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : Math.abs(value) >= 0.9995 ? 2 : 3;
  const text = value.toFixed(digits);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// Blue for what is above 0, red for what is below; the reader sees numbers as well.
function shade(value, most) {
  const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0;
  return `color-mix(in oklab, var(${value < 0 ? "--below" : "--above"}) ${(70 * share).toFixed(0)}%, var(--paper))`;
}

function tableOf(matrix, rows, columns, edit) {
  const most = Math.max(...matrix.flat().map(Math.abs));
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  head.append(document.createElement("td"), ...columns.map((name) => headerCell(name, "col")));
  const body = table.createTBody();
  matrix.forEach((values, i) => {
    const line = body.insertRow();
    line.append(headerCell(rows[i], "row"));
    values.forEach((value, j) => {
      const cell = line.insertCell();
      cell.style.background = shade(value, most);
      if (edit) cell.append(field(value, `${rows[i]}, ${columns[j]}`, (next) => edit(i, j, next)));
      else {
        cell.textContent = shown(value);
        cell.title = String(value);
      }
    });
  });
  return table;
}

function headerCell(text, scope) {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}

function field(value, label, changed) {
  const input = document.createElement("input");
  input.value = shown(value);
  input.title = String(value);
  input.inputMode = "decimal";
  input.setAttribute("aria-label", label);
  input.addEventListener("change", () => {
    const next = Number(input.value.replace(",", "."));
    if (input.value.trim() === "" || !Number.isFinite(next)) {
      say(`${label}: expected a number, got “${input.value}”`);
      input.value = shown(value);
    } else changed(next);
  });
  return input;
}

// ------------------------------------------------------------------ drawing

function draw() {
  say("");
  byId("rule").value = state.rule;
  const seeds = rule().learned.map((_, i) => new Option(`seed ${i}`, i));
  if (!seeds.length) seeds.push(new Option("not trained yet", 0));
  byId("seed").replaceChildren(...seeds, new Option("trained here", -1));
  byId("seed").value = state.seed;
  byId("seed").querySelector('[value="-1"]').disabled = !state.training;
  byId("meaning").textContent = rule().meaning;
  for (const side of ["hand", "learned"]) drawHead(side);
}

function drawHead(side) {
  const head = state[side];
  const share = accuracy(head, rule().examples, SIZE, LONGEST);
  byId(side + "-verdict").textContent =
    share === 1
      ? `right on all ${rule().examples.length} sequences`
      : `right on ${(100 * share).toFixed(1)} % of ${rule().examples.length} sequences`;
  const step = traced(head, state.tokens, SIZE, LONGEST);
  const figures = STEPS.map(([name, title, note]) =>
    figureOf(title, note, tableOf(step[name], rowNames(head, name), columnNames(head, name)), `${side}-${name}`),
  );
  byId(side + "-steps").replaceChildren(...figures);
  const weights = ["W_Q", "W_K", "W_V"].map((name) => {
    const columns = name === "W_V" ? outputNames(head) : head[name][0].map((_, i) => "d" + i);
    const edit = (i, j, value) => {
      head[name][i][j] = value;
      draw();
    };
    return figureOf(name, "", tableOf(head[name], inputNames(head), columns, edit), `${side}-${name}`);
  });
  byId(side + "-weights").replaceChildren(...weights);
}

function figureOf(title, note, table, id) {
  const figure = document.createElement("figure");
  figure.id = id;
  const caption = document.createElement("figcaption");
  const name = document.createElement("b");
  name.textContent = title;
  caption.append(name, note ? ` ${note}` : "");
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.append(table);
  figure.append(caption, scroll);
  return figure;
}

function say(text) {
  byId("message").textContent = text;
}

// ------------------------------------------------------------------ the sequence

function readSequence(text) {
  const names = DATA.vocabulary.every((name) => name.length === 1)
    ? [...text.replace(/[\s,]/g, "")]
    : text.trim().split(/[\s,]+/).filter(Boolean);
  const unknown = names.find((name) => !DATA.vocabulary.includes(name));
  if (!names.length) return say(`sequence: expected 1 to ${LONGEST} tokens, got none`);
  if (names.length > LONGEST) return say(`sequence: expected at most ${LONGEST} tokens, got ${names.length}`);
  if (unknown) return say(`token: expected one of ${DATA.vocabulary.join(", ")}, got “${unknown}”`);
  state.tokens = names.map((name) => DATA.vocabulary.indexOf(name));
  draw();
}

// ------------------------------------------------------------------ training a twin

function train() {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const head = randomHead(rule().hand, DATA.training.spread, seed);
  state.training = new Training(head, rule().examples, SIZE, LONGEST, DATA.training);
  state.learned = head;
  state.seed = -1;
  const ours = state.training;
  const go = () => {
    if (state.training !== ours) return null; // another rule was chosen
    const until = performance.now() + 40;
    while (!ours.done && performance.now() < until) ours.step();
    byId("progress").value = ours.at / ours.settings.steps;
    byId("error").textContent = `step ${ours.at}, error ${ours.error.toExponential(1)}`;
    if (state.seed === -1) drawHead("learned");
    if (!ours.done) return requestAnimationFrame(go);
    byId("progress").dataset.done = "";
    return draw();
  };
  byId("training").hidden = false;
  delete byId("progress").dataset.done;
  draw();
  go();
}

// ------------------------------------------------------------------ a picture to keep

function svgPicture() {
  const parts = [];
  let left = 16;
  let deepest = 0;
  const ink = "#1c2733";
  const text = (x, y, words, more = "") =>
    parts.push(`<text x="${x}" y="${y}" fill="${ink}" ${more}>${words.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</text>`);
  for (const side of ["hand", "learned"]) {
    const head = state[side];
    const step = traced(head, state.tokens, SIZE, LONGEST);
    text(left, 44, side === "hand" ? "by hand" : "learned", 'font-weight="700"');
    let top = 64;
    let widest = 0;
    for (const name of ["scores", "attention", "outputs"]) {
      const rows = rowNames(head, name);
      const columns = columnNames(head, name);
      const most = Math.max(...step[name].flat().map(Math.abs));
      text(left, top + 4, STEPS.find(([key]) => key === name)[1], 'font-size="12"');
      columns.forEach((column, j) => text(left + 34 + 48 * j, top + 22, column, 'font-size="11" text-anchor="middle"'));
      step[name].forEach((values, i) => {
        const y = top + 30 + 24 * i;
        text(left, y + 16, rows[i], 'font-size="11"');
        values.forEach((value, j) => {
          const share = most > 0 ? (0.7 * Math.abs(value)) / most : 0;
          const fill = value < 0 ? "#b5482a" : "#1f6f8b";
          const x = left + 12 + 48 * j;
          parts.push(`<rect x="${x}" y="${y}" width="46" height="22" fill="${fill}" fill-opacity="${share.toFixed(3)}" stroke="#c9d3d8"/>`);
          text(x + 23, y + 15, shown(value), 'font-size="11" text-anchor="middle"');
        });
      });
      top += 50 + 24 * rows.length;
      widest = Math.max(widest, 12 + 48 * columns.length);
    }
    left += widest + 48;
    deepest = Math.max(deepest, top);
  }
  const words = `${rule().text} on ${state.tokens.map((token) => DATA.vocabulary[token]).join(" ")}`;
  parts.unshift(`<text x="16" y="22" fill="${ink}" font-size="14">${words.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</text>`);
  const size = `width="${left}" height="${deepest}" viewBox="0 0 ${left} ${deepest}"`;
  const style = 'font-family="ui-sans-serif, system-ui, sans-serif"';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}><rect width="100%" height="100%" fill="#ffffff"/>${parts.join("")}</svg>`;
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([svgPicture()], { type: "image/svg+xml" }));
  link.download = "attention.svg";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ------------------------------------------------------------------ start

byId("rule").append(...DATA.rules.map((own, i) => new Option(own.text, i)));
byId("rule").addEventListener("change", (event) => chooseRule(Number(event.target.value)));
byId("seed").addEventListener("change", (event) => {
  state.seed = Number(event.target.value);
  state.learned = state.seed < 0 ? state.training.head : learnedHead(state.seed);
  draw();
});
byId("sequence").value = DATA.start.map((token) => DATA.vocabulary[token]).join(" ");
byId("sequence").addEventListener("input", (event) => readSequence(event.target.value));
byId("reset").addEventListener("click", () => chooseRule(state.rule));
byId("train").addEventListener("click", train);
byId("save").addEventListener("click", save);
chooseRule(0);
