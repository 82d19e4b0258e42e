// A QR code (ISO/IEC 18004) as a matrix of dark modules: byte mode, version 4, error level M. Enough for 62 bytes; the
// number of an incident takes 43. One mask of the eight: a reader takes any, and ids are random enough for each.

const SIZE = 33,
  CAPACITY = 64,
  BLOCKS = 2,
  ERROR_LENGTH = 18;
/** Level M and the mask, with their own error code (table C.1). */
const FORMAT = 0b101101101001011;
/** Mask 3. @param {number} row @param {number} column */
const isMasked = (row, column) => (row + column) % 3 === 0;

/** @typedef {boolean[][]} Modules */

/** Powers of two in GF(256), and back. @type {number[]} */
const POWERS = [],
  /** @type {number[]} */ LOGS = [];
for (let power = 0, value = 1; power < 255; power += 1) {
  POWERS[power] = value;
  LOGS[value] = power;
  value = value < 128 ? value * 2 : (value * 2) ^ 0x11d;
}
/** @param {number} a @param {number} b in GF(256) */
const times = (a, b) => (a && b ? POWERS[(LOGS[a] + LOGS[b]) % 255] : 0);

/** The remainder that lets a reader mend errors (Reed and Solomon). @param {number[]} data */
function errorCodewords(data) {
  let generator = [1];
  for (let root = 0; root < ERROR_LENGTH; root += 1)
    generator = [...generator, 0].map((factor, index) => factor ^ times(generator[index - 1] ?? 0, POWERS[root]));
  const remainder = [...data, ...Array(ERROR_LENGTH).fill(0)];
  data.forEach((_, index) => {
    const factor = remainder[index];
    generator.forEach((coefficient, offset) => {
      remainder[index + offset] ^= times(coefficient, factor);
    });
  });
  return remainder.slice(data.length);
}

/** The codewords of both blocks, woven together. @param {Uint8Array} bytes */
function codewords(bytes) {
  const bits = [0b0100, bytes.length, ...bytes, 0].map((value, index) =>
    value.toString(2).padStart(index ? 8 : 4, "0"),
  );
  // the four bits of the mode, and four of the end, make whole codewords
  const data = (bits.join("").match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2));
  for (let pad = 0xec; data.length < CAPACITY; pad ^= 0xec ^ 0x11) data.push(pad);
  const each = CAPACITY / BLOCKS,
    blocks = Array.from({ length: BLOCKS }, (_, block) => data.slice(block * each, (block + 1) * each));
  const woven = (/** @type {number[][]} */ rows) => rows[0].flatMap((_, index) => rows.map((row) => row[index]));
  return [...woven(blocks), ...woven(blocks.map(errorCodewords))];
}

/** Finders, timing and alignment; `fixed` is not for data. @returns {{modules: Modules, fixed: Modules}} */
function frame() {
  const [modules, fixed] = [0, 1].map(() => Array.from({ length: SIZE }, () => Array(SIZE).fill(false)));
  const set = (/** @type {number} */ row, /** @type {number} */ column, dark = false) => {
    if (row < 0 || column < 0 || row >= SIZE || column >= SIZE) return;
    modules[row][column] = dark;
    fixed[row][column] = true;
  };
  /** @type {(row: number, column: number, size: number, light: number[]) => void} rings around a middle */
  const rings = (top, left, size, light) => {
    for (let row = -size; row <= size; row += 1)
      for (let column = -size; column <= size; column += 1)
        set(top + row, left + column, !light.includes(Math.max(Math.abs(row), Math.abs(column))));
  };
  for (let at = 0; at < 9; at += 1) {
    set(8, at);
    set(at, 8);
    set(8, SIZE - at);
    set(SIZE - at, 8);
  }
  for (let at = 8; at < SIZE - 8; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [row, column] of [
    [3, 3],
    [3, SIZE - 4],
    [SIZE - 4, 3],
  ])
    rings(row, column, 4, [2, 4]);
  rings(SIZE - 7, SIZE - 7, 2, [1]);
  return { modules, fixed };
}

/** Level and mask, twice, and the one module that is always dark. @param {Modules} modules */
function writeFormat(modules) {
  for (let bit = 0; bit < 15; bit += 1) {
    const dark = !!((FORMAT >> bit) & 1);
    if (bit < 8) {
      modules[bit < 6 ? bit : bit + 1][8] = dark;
      modules[8][SIZE - 1 - bit] = dark;
    } else {
      modules[8][bit === 8 ? 7 : 14 - bit] = dark;
      modules[SIZE - 15 + bit][8] = dark;
    }
  }
  modules[SIZE - 8][8] = true;
}

/** Upwards and downwards in pairs of columns, from the right.
 * @param {Modules} modules @param {Modules} fixed @param {number[]} words */
function writeData(modules, fixed, words) {
  let bit = 0;
  for (let right = SIZE - 1; right > 0; right -= right === 8 ? 3 : 2) {
    const upward = (right > 6 ? SIZE - 1 - right : SIZE - 2 - right) % 4 === 0;
    for (let step = 0; step < SIZE; step += 1)
      for (const column of [right, right - 1]) {
        const row = upward ? SIZE - 1 - step : step;
        if (fixed[row][column]) continue;
        modules[row][column] = !!(((words[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) !== isMasked(row, column);
        bit += 1;
      }
  }
}

/** The dark modules of a QR code, row by row, without the quiet zone. Throws RangeError beyond 62 bytes.
 * @param {string} text */
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > CAPACITY - 2) throw new RangeError("longer than a version 4 code of level M holds");
  const { modules, fixed } = frame();
  writeData(modules, fixed, codewords(bytes));
  writeFormat(modules);
  return modules;
}
