// An image cut into tiles of one shape: where they start and what each gives to the result.
// The same numbers as dni_runtime/images/plans/ and tiling.py, where the reasons are written down.

const UNTILED_LIMIT_PIXELS = 1024 * 1024;
const TILE = 512;
const LARGEST_TILE = 1024;
const STEP = 32;
const SMALL_TILE = 256;
const OVERLAP = 32;
const OVERLAP_LIMIT = 64;
const FEATHER = 16;

/** The smallest multiple of `unit` that is not below `size`. */
export const roundUp = (size, unit) => Math.ceil(size / unit) * unit;

const greatestDivisor = (a, b) => (b === 0 ? a : greatestDivisor(b, a % b));

const commonMultiple = (a, b) => (a * b) / greatestDivisor(a, b);

/** Input sizes and tile positions are multiples of it, so that they times the scale are whole numbers. */
export function sizeUnit({ size, scale }) {
  return commonMultiple(size.multiple, scale[1]);
}

/** Whether tiles of any size give the same result: what a pixel depends on is known, and is not cut off. */
export const reachIsKnown = ({ overlap }) => overlap !== null && overlap <= OVERLAP_LIMIT;

/** Input pixels thrown away at each inner end of a tile, where the caller does not say. */
export const automaticOverlap = ({ overlap }) => (overlap === null ? OVERLAP : Math.min(overlap, OVERLAP_LIMIT));

/**
 * How to cut an image of height x width: [rows, columns], each {tile, starts, overlap, feather} in input pixels.
 *
 * `tile`, `overlap`: as in Python's Model.enhance, null for the automatic choice, tile 0 for none. Automatic tiles are
 * even ones of at most 256 pixels where that changes no result, so that progress comes often and memory stays small;
 * where the network's reach is not known, they are Python's: none up to 1024 x 1024, else 512, or as much less as leaves
 * them as many.
 */
export function planTiles(height, width, model, { tile = null, overlap = null } = {}) {
  for (const [name, value] of [["tile", tile], ["overlap", overlap]]) {
    if (value !== null && !(Number.isInteger(value) && value >= 0)) {
      throw new RangeError(`${name} is ${value}; expected a whole number of pixels, 0 or more`);
    }
  }
  const unit = sizeUnit(model);
  const least = roundUp(model.size.minimum, unit);
  const isEven = tile === null && overlap === null && reachIsKnown(model);
  const isEvened = tile === null && !isEven && !model.size.square;
  const padded = [height, width].map((size) => Math.max(roundUp(size, unit), least));
  const needed = model.size.square ? padded.map(() => Math.max(...padded)) : padded;
  tile ??= needed[0] * needed[1] > UNTILED_LIMIT_PIXELS ? automaticTile(unit, overlap) : 0;
  const grid = commonMultiple(unit, model.size.grid ?? 1);
  const reach = roundUp(overlap ?? automaticOverlap(model), model.scale[1]);
  const isGuess = overlap === null && model.overlap === null;
  const fixedSizes = model.input.shape.slice(2);
  return [height, width].map((size, axis) => {
    const fixed = fixedSizes[axis];
    let length = fixed ?? needed[axis];
    if (fixed === null && (isEven || tile)) {
      const wanted = isEven ? evenTile(length, reach, grid) : tile;
      length = onGrid(length, Math.max(wanted, least), reach, unit, grid);
    }
    const givesWay = isGuess || (fixed !== null && overlap === null);
    const axisReach = givesWay ? inTilesOf(length, reach, unit, model.scale[1]) : reach;
    const covered = fixed === null ? padded[axis] : size;
    if (fixed === null && isGuess && length === unit && length < covered) {
      throw new RangeError(`tile ${length} is too small; expected a tile of at least ${2 * unit} pixels, or overlap 0`);
    }
    const whole = paddedSize(covered, length, unit);
    if (fixed === null && isEvened) length = evened(whole, length, axisReach, grid);
    return cutAxis(whole, length, axisReach, fixed === null ? grid : unit);
  });
}

/** The smallest length, by whole steps below `length`, at which an axis has no more tiles. */
function evened(size, length, overlap, grid) {
  const count = cutAxis(size, length, overlap, grid).starts.length;
  const step = commonMultiple(grid, STEP);
  const needed = Math.ceil((size + (count - 1) * 2 * overlap) / count);
  let shorter = length - Math.floor(Math.max(0, length - needed) / step) * step;
  while (shorter < length && cutAxis(size, shorter, overlap, grid).starts.length !== count) shorter += step;
  return shorter;
}

/** The length of tiles of `wanted` pixels or more that begin on the grid, the last of which ends where `size` does. */
function onGrid(size, wanted, reach, unit, grid) {
  const least = grid > unit ? 2 * roundUp(reach, grid) + grid : 0;
  const length = roundUp(Math.max(wanted, least), grid);
  return length >= size ? size : length + ((size - length) % grid);
}

const automaticTile = (unit, overlap) =>
  Math.max(TILE, Math.min(4 * unit, LARGEST_TILE), 2 * unit, 4 * (overlap ?? 0));

/** As much of `reach` as leaves tiles of that length half of what they do not share for the grid's sake. */
const inTilesOf = (length, reach, unit, denominator) =>
  Math.max(0, Math.min(reach, Math.floor(Math.floor((length - unit) / 4) / denominator) * denominator));

/** The length of the fewest tiles of about 256 pixels or less that cover `size`, none longer than it has to be. */
function evenTile(size, reach, unit) {
  const shared = 2 * roundUp(reach, unit) + FEATHER;
  const limit = Math.max(SMALL_TILE, 2 * shared);
  const count = Math.max(1, Math.ceil((size - shared) / (limit - shared)));
  return roundUp(Math.ceil((size + (count - 1) * shared) / count), unit);
}

/** The smallest length, `size` or more, that tiles of `tile` on a grid of `unit` fill exactly. */
const paddedSize = (size, tile, unit) => tile + roundUp(Math.max(0, size - tile), unit);

function cutAxis(size, tile, overlap, unit) {
  if (size === tile) return { tile, starts: [0], overlap: 0, feather: 0 };
  const kept = tile - 2 * overlap;
  if (kept < unit) {
    throw new RangeError(
      `tile ${tile} is too small for overlap ${overlap}; expected a tile of at least ${roundUp(2 * overlap + unit, unit)} pixels`,
    );
  }
  const feather = Math.min(FEATHER, Math.floor(kept / 4));
  const stride = Math.max(unit, Math.floor((kept - feather) / unit) * unit);
  const starts = [];
  for (let start = 0; start < size - tile; start += stride) starts.push(start);
  starts.push(size - tile);
  return { tile, starts, overlap, feather: Math.min(FEATHER, kept - stride) };
}

/**
 * What each tile gives to the result along one axis: {start, offset, first, done, stop, weights}.
 *
 * `start` is the tile's first input pixel, the others count output pixels: `offset` is the tile's first one,
 * it adds to `first`..`stop`, and from `done` on the next tile does so too. Over all tiles the weights of a pixel
 * sum to 1.
 */
export function tileShares(cut, [numerator, denominator]) {
  const scaled = (pixels) => (pixels * numerator) / denominator;
  const length = scaled(cut.tile);
  const feather = Math.floor(scaled(cut.feather));
  const fadeStarts = cut.starts
    .slice(1)
    .map((start, index) => Math.floor((scaled(cut.starts[index]) + scaled(start) + length - feather) / 2));
  const shares = cut.starts.map((start, index) => {
    const offset = scaled(start);
    const weights = new Float32Array(length);
    for (let i = 0; i < length; i++) {
      const pixel = offset + i + 0.5;
      const fadesIn = index > 0 ? ramp(pixel, fadeStarts[index - 1], feather) : 1;
      const fadesOut = index < fadeStarts.length ? ramp(pixel, fadeStarts[index], feather) : 0;
      weights[i] = fadesIn - fadesOut;
    }
    const given = weights.findIndex((weight) => weight !== 0);
    const end = weights.findLastIndex((weight) => weight !== 0) + 1;
    return { start, offset, first: offset + given, stop: offset + end, weights: weights.subarray(given, end) };
  });
  return shares.map((share, index) => ({ ...share, done: shares[index + 1]?.first ?? share.stop }));
}

/** 0 before `start`, 1 from `start + length` on, linear in between. */
function ramp(pixel, start, length) {
  if (length === 0) return pixel > start ? 1 : 0;
  return Math.min(1, Math.max(0, (pixel - start) / length));
}
