// Tiles joined while they come in: what two of them share fades, and is kept only until the last one is there.
// As dni_runtime/images/seams.py.

import { tileShares } from "./tiling.js";

/** A stack of planes as a network gives them: `data` holds planes x height x width float32 values. */
const planesOf = (planes, height, width) => ({
  data: new Float32Array(planes * height * width),
  planes,
  height,
  width,
});

/**
 * Takes the tiles of a grid one after another, in the order of `tiles`; gives back what no later tile adds to.
 *
 * Holds two seams, at most 16 input pixels wide: to the tile on the right, and over the width of the image to the
 * row below.
 */
export class Seams {
  #down;
  #across;
  #width;
  #left = null;
  #band = null;

  constructor(rows, columns, scale) {
    this.#down = tileShares(rows, scale);
    this.#across = tileShares(columns, scale);
    this.#width = this.#across.at(-1).stop;
    this.count = this.#down.length * this.#across.length;
  }

  /** [row, column] of every tile. Never all at once: a network of small fixed tiles has millions of them. */
  *tiles() {
    for (const row of this.#down) for (const column of this.#across) yield [row, column];
  }

  /** Add the output of one tile; returns the finished pixels, from (row.first, column.first) on. */
  add(tile, row, column) {
    const part = cutOut(tile, row.first - row.offset, column.first - column.offset, {
      height: row.stop - row.first,
      width: column.stop - column.first,
    });
    weigh(part, row.weights, column.weights);
    const shared = this.#left?.width ?? 0;
    if (this.#left) addTo(part, 0, this.#left, 0, shared);
    // The part of the band above `left` is in there already.
    if (this.#band && row.offset > 0) addTo(part, shared, this.#band, column.first + shared, part.width - shared);

    const height = row.done - row.first;
    const width = column.done - column.first;
    this.#left = width < part.width ? cutOut(part, 0, width, { height: part.height, width: part.width - width }) : null;
    if (height < part.height) {
      this.#band ??= planesOf(part.planes, part.height - height, this.#width);
      // Nothing is lost: later tiles read the old band from column.stop on, or out of `left`.
      const below = cutOut(part, height, 0, { height: part.height - height, width });
      paste(this.#band, column.first, below);
    }
    return height === part.height && width === part.width ? part : cutOut(part, 0, 0, { height, width });
  }
}

/** Calls `visit(at, from)` with the first index of every row of two stacks of planes, `height` rows of each. */
function eachRow(target, source, height, visit) {
  for (let plane = 0; plane < target.planes; plane++) {
    for (let y = 0; y < height; y++) {
      visit((plane * target.height + y) * target.width, (plane * source.height + y) * source.width);
    }
  }
}

function cutOut(source, top, left, { height, width }) {
  const part = planesOf(source.planes, height, width);
  eachRow(part, source, height, (at, from) => {
    const first = from + top * source.width + left;
    part.data.set(source.data.subarray(first, first + width), at);
  });
  return part;
}

function paste(target, left, source) {
  eachRow(target, source, source.height, (at, from) => {
    target.data.set(source.data.subarray(from, from + source.width), at + left);
  });
}

/** Add `width` columns of `source`, from `sourceLeft` on, to those of `target` from `left` on. */
function addTo(target, left, source, sourceLeft, width) {
  eachRow(target, source, source.height, (at, from) => {
    for (let x = 0; x < width; x++) target.data[at + left + x] += source.data[from + sourceLeft + x];
  });
}

function weigh(part, down, across) {
  if (down.every((weight) => weight === 1) && across.every((weight) => weight === 1)) return;
  eachRow(part, part, part.height, (at) => {
    const weight = down[Math.floor(at / part.width) % part.height];
    for (let x = 0; x < part.width; x++) part.data[at + x] *= Math.fround(weight * across[x]);
  });
}
