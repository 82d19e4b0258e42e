// A QR code (ISO/IEC 18004) as a matrix of dark modules: byte mode, error level M, versions 1 to 5. Enough for 84
// bytes.

/** By version: data codewords in all, error codewords a block, blocks. @type {[number, number, number][]} */
const SIZES = [
  [16, 10, 1],
  [28, 16, 1],
  [44, 26, 1],
  [64, 18, 2],
  [86, 24, 2],
];
const LEVEL_M = 0;

const EXP = new Uint8Array(255),
  LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power += 1) {
  EXP[power] = value;
  LOG[value] = power;
  value = value < 128 ? value * 2 : (value * 2) ^ 0x11d;
}
/** @param {number} a @param {number} b in GF(256) */
const times = (a, b) => (a && b ? EXP[(LOG[a] + LOG[b]) % 255] : 0);

/** The remainder that lets a reader mend errors (Reed and Solomon). @param {number[]} data @param {number} length */
function errorCodewords(data, length) {
  let generator = [1];
  for (let root = 0; root < length; root += 1) {
    generator = [...generator, 0].map(
      (coefficient, index) => coefficient ^ times(generator[index - 1] ?? 0, EXP[root]),
    );
  }
  const remainder = [...data, ...Array(length).fill(0)];
  data.forEach((_, index) => {
    const factor = remainder[index];
    generator.forEach((coefficient, offset) => {
      remainder[index + offset] ^= times(coefficient, factor);
    });
  });
  return remainder.slice(data.length);
}

/** @param {Uint8Array} bytes @param {number} capacity in codewords */
function dataCodewords(bytes, capacity) {
  const bits = [0b0100, bytes.length, ...bytes]
    .map((value, index) => value.toString(2).padStart(index ? 8 : 4, "0"))
    .join("");
  const padded = bits + "0000".slice(0, capacity * 8 - bits.length);
  const codewords =
    (padded + "0".repeat((8 - (padded.length % 8)) % 8)).match(/.{8}/g)?.map((byte) => parseInt(byte, 2)) ?? [];
  for (let pad = 0xec; codewords.length < capacity; pad ^= 0xec ^ 0x11) codewords.push(pad);
  return codewords;
}

/** The codewords of all blocks, woven together. @param {Uint8Array} bytes @param {[number, number, number]} size */
function codewords(bytes, [capacity, errorLength, blocks]) {
  const data = dataCodewords(bytes, capacity),
    each = capacity / blocks;
  const parts = Array.from({ length: blocks }, (_, block) => data.slice(block * each, (block + 1) * each));
  const errors = parts.map((part) => errorCodewords(part, errorLength));
  const woven = (/** @type {number[][]} */ rows) => rows[0].flatMap((_, index) => rows.map((row) => row[index]));
  return [...woven(parts), ...woven(errors)];
}

/**
 * @param {number} version
 * @returns {{modules: boolean[][], fixed: boolean[][]}} finders, timing and alignment; `fixed` is not for data
 */
function frame(version) {
  const size = version * 4 + 17;
  const modules = Array.from({ length: size }, () => Array(size).fill(false)),
    fixed = modules.map((row) => [...row]);
  const set = (/** @type {number} */ row, /** @type {number} */ column, /** @type {boolean} */ dark) => {
    if (row < 0 || column < 0 || row >= size || column >= size) return;
    modules[row][column] = dark;
    fixed[row][column] = true;
  };
  for (const [top, left] of [
    [3, 3],
    [3, size - 4],
    [size - 4, 3],
  ]) {
    for (let row = -4; row <= 4; row += 1)
      for (let column = -4; column <= 4; column += 1) {
        const ring = Math.max(Math.abs(row), Math.abs(column));
        set(top + row, left + column, ring !== 2 && ring !== 4);
      }
  }
  for (let at = 8; at < size - 8; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  if (version > 1)
    for (let row = -2; row <= 2; row += 1)
      for (let column = -2; column <= 2; column += 1) {
        set(size - 7 + row, size - 7 + column, Math.max(Math.abs(row), Math.abs(column)) !== 1);
      }
  for (let at = 0; at < 9; at += 1) {
    fixed[8][at] = fixed[at][8] = true;
  }
  for (let at = 1; at <= 8; at += 1) {
    fixed[8][size - at] = fixed[size - at][8] = true;
  }
  modules[size - 8][8] = true;
  return { modules, fixed };
}

/** Level and mask, twice, with their own error code. @param {boolean[][]} modules @param {number} mask */
function writeFormat(modules, mask) {
  const value = (LEVEL_M << 3) | mask,
    size = modules.length;
  let rest = value << 10;
  for (let bit = 14; bit >= 10; bit -= 1) if ((rest >> bit) & 1) rest ^= 0x537 << (bit - 10);
  const bits = ((value << 10) | rest) ^ 0x5412;
  for (let bit = 0; bit < 15; bit += 1) {
    const dark = !!((bits >> bit) & 1);
    const near = bit < 6 ? bit : bit < 8 ? bit + 1 : 0;
    if (bit < 8) {
      modules[near][8] = dark;
      modules[8][size - 1 - bit] = dark;
    } else {
      modules[8][bit === 8 ? 7 : 14 - bit] = dark;
      modules[size - 15 + bit][8] = dark;
    }
  }
}

/** @type {((row: number, column: number) => boolean)[]} */
const MASKS = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

/**
 * Bits run in columns of two, up and down, from the right.
 * @param {boolean[][]} fixed
 * @param {number[]} words
 * @param {number} mask
 * @param {boolean[][]} modules
 */
function writeData(modules, fixed, words, mask) {
  const size = modules.length;
  let bit = 0;
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) {
    const upward = (right > 6 ? size - 1 - right : size - 2 - right) % 4 === 0;
    for (let step = 0; step < size; step += 1)
      for (const column of [right, right - 1]) {
        const row = upward ? size - 1 - step : step;
        if (fixed[row][column]) continue;
        modules[row][column] = !!(((words[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) !== MASKS[mask](row, column);
        bit += 1;
      }
  }
}

/**
 * How hard it is to read: runs, blocks, look-alikes of a finder, too much of one colour.
 * @param {boolean[][]} modules
 */
function penalty(modules) {
  const size = modules.length,
    columns = modules.map((_, index) => modules.map((row) => row[index]));
  let points = 0;
  for (const line of [...modules, ...columns]) {
    const text = line.map((dark) => (dark ? "1" : "0")).join("");
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) points += run.length - 2;
    for (let at = 0; at + 11 <= size; at += 1)
      if (["10111010000", "00001011101"].includes(text.slice(at, at + 11))) points += 40;
  }
  for (let row = 1; row < size; row += 1)
    for (let column = 1; column < size; column += 1) {
      const dark = modules[row][column];
      if (
        dark === modules[row - 1][column] &&
        dark === modules[row][column - 1] &&
        dark === modules[row - 1][column - 1]
      )
        points += 3;
    }
  const share = modules.flat().filter(Boolean).length / (size * size);
  return points + 10 * Math.floor(Math.abs(share - 0.5) * 20);
}

/**
 * The dark modules of a QR code, row by row, without the quiet zone. Throws RangeError beyond 84 bytes.
 * @param {string} text
 */
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text);
  const version = SIZES.findIndex(([capacity]) => bytes.length <= capacity - 2) + 1;
  if (!version) throw new RangeError("longer than a version 5 code of level M holds");
  const words = codewords(bytes, SIZES[version - 1]);
  const candidates = MASKS.map((_, mask) => {
    const { modules, fixed } = frame(version);
    writeData(modules, fixed, words, mask);
    writeFormat(modules, mask);
    return { modules, points: penalty(modules) };
  });
  return candidates.reduce((best, candidate) => (candidate.points < best.points ? candidate : best)).modules;
}
