// A classifier of texts by Lossworks: `predict(text)` answers as `lossworks predict` does. It sends nothing and needs nothing else.
"use strict";

const SPACE = 0, LETTER = 1, UNKNOWN = 4, KINDS = 5;  // what a code point is; UNKNOWN is space that Unicode had not assigned
const POINTS = 0x110000, EDGE = POINTS + 1;  // how many code points there are; what stands for a word's edge
const SHORTEST = 2;  // characters in the shortest character n-gram

// A hash has 64 bits, which no number in JavaScript has: `high` and `low` are the halves of the one at hand.
let high = 0, low = 0;

// Times another number, modulo 2^64. Products of quarters are the largest that stay exact.
const multiply = (otherHigh, otherLow) => {
  const a = low >>> 16, b = low & 65535, c = otherLow >>> 16, d = otherLow & 65535;
  const middle = a * d + ((b * d) >>> 16), other = b * c + (middle & 65535);
  high = (Math.imul(high, otherLow) + Math.imul(low, otherHigh) + a * c + (middle >>> 16) + (other >>> 16)) | 0;
  low = Math.imul(low, otherLow);
};
const mix = () => {
  low ^= high >>> 1;
  multiply(0xff51afd7, 0xed558ccd);
  low ^= high >>> 1;
  multiply(0xc4ceb9fe, 0x1a85ec53);
  low ^= high >>> 1;
};
const start = () => { high = 0xcbf29ce4 | 0; low = 0x84222325 | 0; };
const add = (point) => { low ^= point; multiply(0x100, 0x1b3); };

// In the composed form, as it was when the model was written: the browser may know of more characters that join or change places.
const composed = (text, kinds) => {
  let done = "", part = "";
  for (const character of text) {
    if (kinds[character.codePointAt(0)] === UNKNOWN) {
      done += part.normalize("NFC") + character;
      part = "";
    } else part += character;
  }
  return done + part.normalize("NFC");
};

// Calls `found` with the bucket of each n-gram of a text: those of the characters in words first, then those of words.
const ngrams = (text, { words, chars, bits, kinds, lower }, found) => {
  const points = Array.from(text, (character) => character.codePointAt(0));
  const highs = [0x8ebc6af0], lows = [0x9c88c6e3];  // the text's tokens, its start the first
  const put = () => { highs.push(high); lows.push(low); };
  for (let at = 0, end; at < points.length; at = end) {
    const kind = kinds[points[at]];
    end = at + 1;
    if (kind === SPACE || kind === UNKNOWN) continue;
    if (kind !== LETTER) {
      high = 0x9e3779b9 | 0;
      low = lower[points[at]] + 0x7f4a7c15;
      mix();
      put();
      continue;
    }
    while (end < points.length && kinds[points[end]] === LETTER) end++;
    start();
    for (let place = at; place < end; place++) add(lower[points[place]]);
    mix();
    put();
    for (let first = at - 1; chars >= SHORTEST && first <= end; first++) {  // the word stands between its two edges
      let gramHigh, gramLow;
      start();
      for (let place = first; place < first + chars && place <= end; place++) {
        if (place > first) { high = gramHigh; low = gramLow; }
        add(place < at || place === end ? EDGE : lower[points[place]]);
        gramHigh = high;
        gramLow = low;
        if (place - first + 1 < SHORTEST) continue;
        mix();
        found((high >>> (33 - bits)) + 2 ** (bits - 1));
      }
    }
  }
  if (highs.length === 1) return;
  highs.push(0x589965cc);
  lows.push(0x75374cc3);
  for (let first = 0; first < highs.length - 1; first++) {
    const longest = first === 0 && words > 1 ? words + 1 : words;  // the start comes on top of as many tokens
    let gramHigh = highs[first], gramLow = lows[first];
    for (let place = first; place < first + longest && place < highs.length; place++) {
      high = gramHigh;
      low = gramLow;
      if (place > first) {
        multiply(0xd6e8feb8, 0x6659fd93);
        gramHigh = high ^= highs[place];
        gramLow = low ^= lows[place];
      } else if (first === 0) continue;  // the start alone says nothing
      mix();
      found(high >>> (33 - bits));
    }
  }
};

// The rows of the table that a text has, and what each weighs; in single precision, so that sums are the same to the bit.
const selected = (text, model) => {
  const { bits, norm, share, rows: known, weights } = model, rows = [], half = 2 ** (bits - 1);
  let chars = 0;
  ngrams(text, model, (bucket) => {
    const row = known.get(bucket);
    if (row === undefined) return;
    rows.push(row);
    chars += bucket >= half;
  });
  const values = Float32Array.from(rows, (row) => weights[row]);
  const scale = (part, length) => {
    const squares = part.reduce((sum, value) => Math.fround(sum + Math.fround(value * value)), 0);
    const factor = Math.fround(Math.sqrt(length / Math.max(squares, Math.fround(1e-30))));
    part.forEach((value, at) => { part[at] = value * factor; });
  };
  const both = chars > 0 && chars < rows.length;
  if (norm === "mean") values.forEach((value, at) => { values[at] = value * Math.fround(1 / rows.length); });
  else {
    scale(values.subarray(0, chars), both ? 1 - share : 1);
    scale(values.subarray(chars), both ? share : 1);
  }
  return { rows, values };
};

// What the network says of a text: the sum of its rows, and layers on that where there are any.
const outputs = (text, model) => {
  const { table, width, bias, layers } = model, { rows, values } = selected(text, model);
  let state = new Float32Array(width);
  for (let place = 0; place < rows.length; place++) {
    const first = rows[place] * width, value = values[place];
    for (let column = 0; column < width; column++) state[column] += Math.fround(value * table[first + column]);
  }
  if (bias) state.forEach((sum, at) => { state[at] = sum + bias[at]; });
  layers.forEach((layer, depth) => {
    const input = depth ? state.map((sum) => Math.max(sum, 0)) : state;
    state = layer.bias.map((sum, at) => input.reduce((all, value, of) => all + value * layer.weight[at * input.length + of], sum));
  });
  return state;
};

const highest = (numbers) => numbers.reduce((most, each) => Math.max(most, each));  // there may be more than a call can take
const softmax = (logits) => {
  const most = highest(logits), likely = logits.map((logit) => Math.exp(logit - most));
  const all = likely.reduce((sum, each) => sum + each);
  return likely.map((each) => each / all);
};
const sigmoid = (logit) => (logit < 0 ? Math.exp(logit) : 1) / (1 + Math.exp(-Math.abs(logit)));

// The answer: a label, several, or a number, spelled as `lossworks predict --json` spells it.
const answer = (text, model) => {
  if (typeof text !== "string") throw new TypeError(`got ${text}; wanted a text`);
  const { task, labels, thresholds, temperature, compose } = model;
  const found = Array.from(outputs(compose ? composed(text, model.kinds) : text, model));
  if (task === "regress") return { value: model.center + model.spread * found[0] };
  const two = task === "classify" && labels.length === 2;
  const logits = (two ? [0, ...found] : found).map((logit) => logit / temperature);
  const chances = task === "multilabel" ? logits.map(sigmoid) : softmax(logits);
  const probabilities = Object.fromEntries(labels.map((label, at) => [label, chances[at]]));
  if (task === "multilabel") {
    return { labels: labels.filter((label, at) => chances[at] >= (thresholds ? thresholds[at] : 0.5)), probabilities };
  }
  const best = two && thresholds ? Number(chances[1] >= thresholds[0]) : chances.indexOf(highest(chances));
  return { label: labels[best], probability: chances[best], probabilities };
};

// Reading what Python wrote: arrays in base64, whole numbers in 7 bits of each byte, deflated.
const bytes = (packed) => {
  const text = atob(packed), found = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) found[at] = text.charCodeAt(at);
  return found;
};
const floats = (packed) => new Float32Array(bytes(packed).buffer);
const whole = async (packed) => {
  const stream = new Blob([bytes(packed)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const numbers = [];
  let number = 0, unit = 1;
  for (const byte of new Uint8Array(await new Response(stream).arrayBuffer())) {
    number += (byte & 127) * unit;
    unit *= 128;
    if (byte < 128) {
      numbers.push(number);
      number = 0;
      unit = 1;
    }
  }
  return numbers;
};
const signed = (number) => (number % 2 ? -(number + 1) / 2 : number / 2);

// A model from what stands at the end of this file.
const read = async ({ unicode, table: packed, ...model }) => {
  const streams = [unicode.kinds, unicode.lower, packed.gaps, packed.kinds, packed.codes];
  const [runs, cased, gaps, kind, codes] = await Promise.all(streams.map(whole));
  const kinds = new Uint8Array(POINTS), lower = new Uint32Array(POINTS);
  for (let point = 0; point < POINTS; point++) lower[point] = point;
  let at = 0;
  for (const run of runs) kinds.fill(run % KINDS, at, (at += Math.floor(run / KINDS)));
  at = -1;
  for (let place = 0; place < cased.length; place += 2) {
    at += cased[place] + 1;
    lower[at] = at + signed(cased[place + 1]);
  }
  const scales = floats(packed.scales), ofKind = floats(packed.weights), { width } = model;
  const rows = new Map(), table = new Float32Array(codes.length), weights = new Float32Array(gaps.length);
  at = -1;
  for (let row = 0; row < gaps.length; row++) {
    rows.set((at += gaps[row] + 1), row);
    weights[row] = ofKind[kind[row]];
    for (let column = 0; column < width; column++) {
      table[row * width + column] = signed(codes[column * gaps.length + row]) * scales[kind[row]];
    }
  }
  const layers = model.layers.map(({ weight, bias }) => ({ weight: floats(weight), bias: floats(bias) }));
  return { ...model, bias: model.bias && floats(model.bias), layers, kinds, lower, rows, weights, table };
};

const made = async (packed) => {
  const model = await read(packed);
  return { labels: model.labels, predict: (text) => answer(text, model) };
};

