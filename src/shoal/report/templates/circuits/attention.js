"use strict";
// One head: softmax(Q Kᵀ / √d) V on one-hot contents beside one-hot places. Every matrix is an array of rows.
// A head is {null, positions, W_Q, W_K, W_V}; vocabulary and longest sequence are those of the page.

const multiply = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((sum, x, i) => sum + x * b[i][j], 0)));
const transposed = (a) => a[0].map((_, j) => a.map((row) => row[j]));
const zeros = (rows, columns) => Array.from({ length: rows }, () => new Array(columns).fill(0));

function softmax(row) {
  const top = Math.max(...row);
  const powers = row.map((x) => Math.exp(x - top));
  const total = powers.reduce((sum, x) => sum + x, 0);
  return powers.map((x) => x / total);
}

// Rows of the input, the null key's first: [∅ | contents | places].
function embedded(head, tokens, size, longest) {
  const width = size + (head.null ? 1 : 0) + (head.positions ? longest : 0);
  const first = head.null ? 1 : 0;
  const rows = tokens.map((token, place) => {
    const row = new Array(width).fill(0);
    row[first + token] = 1;
    if (head.positions) row[first + size + place] = 1;
    return row;
  });
  return head.null ? [[1, ...new Array(width - 1).fill(0)], ...rows] : rows;
}

// Every step of the attention for one sequence.
function traced(head, tokens, size, longest) {
  const inputs = embedded(head, tokens, size, longest);
  const own = head.null ? inputs.slice(1) : inputs;
  const queries = multiply(own, head.W_Q);
  const keys = multiply(inputs, head.W_K);
  const values = multiply(inputs, head.W_V);
  const root = Math.sqrt(head.W_Q[0].length);
  const scores = multiply(queries, transposed(keys)).map((row) => row.map((x) => x / root));
  const attention = scores.map(softmax);
  return { inputs, own, queries, keys, values, scores, attention, outputs: multiply(attention, values) };
}

// Gradients of the mean squared error of one sequence, added to those so far; returns the error.
function backward(head, step, targets, gradients) {
  const { inputs, own, queries, keys, values, attention, outputs } = step;
  const root = Math.sqrt(head.W_Q[0].length);
  const count = outputs.length * outputs[0].length;
  let error = 0;
  const byOutput = outputs.map((row, i) =>
    row.map((x, j) => {
      error += (x - targets[i][j]) ** 2 / count;
      return (2 * (x - targets[i][j])) / count;
    }),
  );
  const byAttention = multiply(byOutput, transposed(values));
  const byScore = attention.map((row, i) => {
    const mean = row.reduce((sum, a, j) => sum + a * byAttention[i][j], 0);
    return row.map((a, j) => (a * (byAttention[i][j] - mean)) / root);
  });
  const add = (name, rows, by) => {
    const found = multiply(transposed(rows), by);
    gradients[name].forEach((row, i) => row.forEach((_, j) => (row[j] += found[i][j])));
  };
  add("W_Q", own, multiply(byScore, keys));
  add("W_K", inputs, multiply(transposed(byScore), queries));
  add("W_V", inputs, multiply(transposed(attention), byOutput));
  return error;
}

// A generator of random numbers with a seed (mulberry32), and normal ones made of it.
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function randomHead(like, spread, seed) {
  const uniform = randomNumbers(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const drawn = (matrix) => matrix.map((row) => row.map(() => spread * normal()));
  return { ...like, W_Q: drawn(like.W_Q), W_K: drawn(like.W_K), W_V: drawn(like.W_V) };
}

// Adam on all sequences at once; call `step` until `done`.
class Training {
  constructor(head, examples, size, longest, settings) {
    Object.assign(this, { head, examples, size, longest, settings, at: 0, error: Infinity });
    const like = () => Object.fromEntries(["W_Q", "W_K", "W_V"].map((n) => [n, zeros(head[n].length, head[n][0].length)]));
    Object.assign(this, { like, means: like(), squares: like() });
  }

  get done() {
    return this.at >= this.settings.steps;
  }

  step() {
    const { rate, steps, beta1, beta2 } = this.settings;
    const gradients = this.like();
    let error = 0;
    for (const [tokens, targets] of this.examples) {
      error += backward(this.head, traced(this.head, tokens, this.size, this.longest), targets, gradients);
    }
    const now = rate * 0.5 * (1 + Math.cos((Math.PI * this.at) / steps));
    this.at += 1;
    const fix1 = 1 - beta1 ** this.at;
    const fix2 = 1 - beta2 ** this.at;
    for (const name of Object.keys(gradients)) {
      gradients[name].forEach((row, i) =>
        row.forEach((sum, j) => {
          const g = sum / this.examples.length;
          const mean = (this.means[name][i][j] = beta1 * this.means[name][i][j] + (1 - beta1) * g);
          const square = (this.squares[name][i][j] = beta2 * this.squares[name][i][j] + (1 - beta2) * g * g);
          this.head[name][i][j] -= (now * (mean / fix1)) / (Math.sqrt(square / fix2) + 1e-8);
        }),
      );
    }
    this.error = error / this.examples.length;
  }
}

// Share of the examples whose outputs are read right: nearest to the wanted one of all that the rule can ask for.
function accuracy(head, examples, size, longest) {
  const readings = [];
  const near = (a, b) => a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0);
  for (const [, targets] of examples) {
    for (const row of targets) if (!readings.some((known) => near(known, row) < 1e-10)) readings.push(row);
  }
  const right = examples.filter(([tokens, targets]) =>
    traced(head, tokens, size, longest).outputs.every((output, i) => {
      const own = near(output, targets[i]);
      return readings.every((other) => near(other, targets[i]) < 1e-10 || near(output, other) > own);
    }),
  );
  return right.length / examples.length;
}
