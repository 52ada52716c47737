// Colours under full transparency, filled with those of the visible pixels around them before the network sees them.
// As dni_runtime/images/pixels/hidden_colors.py, which says why and how.

const HALVINGS = 5;
const SQUARE = 2 ** HALVINGS;
const FARTHER = 1 / 16;
const OPAQUE = 255;

export class HiddenColors {
  #image;
  #mean;

  /** `image`: {width, height, data}, data RGBA; at least one of its pixels is visible. */
  constructor(image) {
    this.#image = image;
    const sums = [0, 0, 0, 0];
    for (let i = 0; i < image.data.length; i += 4) {
      const weight = image.data[i + 3] / OPAQUE;
      for (let channel = 0; channel < 3; channel++) sums[channel] += weight * image.data[i + channel];
      sums[3] += weight;
    }
    this.#mean = sums.map((sum) => sum / sums[3]);
  }

  /** The pixels from (top, left) on, RGBA, reflected beyond the ends; visible ones and all opacity as they are. */
  cutOut(top, left, height, width) {
    const tile = this.#read(top, left, height, width);
    let hides = false;
    for (let i = 3; i < tile.length && !hides; i += 4) hides = tile[i] === 0;
    if (!hides) return tile;
    const [firstRow, rows] = onGrid(top, height);
    const [firstColumn, columns] = onGrid(left, width);
    const found = this.#spread(this.#read(firstRow, firstColumn, rows, columns), rows, columns);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const to = 4 * (y * width + x);
        if (tile[to + 3] !== 0) continue;
        const from = 4 * ((top - firstRow + y) * columns + left - firstColumn + x);
        for (let channel = 0; channel < 3; channel++) tile[to + channel] = found[from + channel] / found[from + 3];
      }
    }
    return tile;
  }

  #read(top, left, height, width) {
    const { data, width: imageWidth, height: imageHeight } = this.#image;
    const pixels = new Uint8ClampedArray(4 * height * width);
    for (let y = 0; y < height; y++) {
      const row = imageWidth * reflect(top + y, imageHeight);
      for (let x = 0; x < width; x++) {
        const from = 4 * (row + reflect(left + x, imageWidth));
        const to = 4 * (y * width + x);
        for (let channel = 0; channel < 4; channel++) pixels[to + channel] = data[from + channel];
      }
    }
    return pixels;
  }

  /** For every pixel a colour of those around it times a weight, and that weight. */
  #spread(pixels, height, width) {
    let known = new Float32Array(pixels.length);
    for (let i = 0; i < pixels.length; i += 4) {
      const weight = pixels[i + 3] / OPAQUE;
      for (let channel = 0; channel < 3; channel++) known[i + channel] = pixels[i + channel] * weight;
      known[i + 3] = weight;
    }
    const squares = [];
    let size = [height, width];
    for (let halving = 0; halving < HALVINGS; halving++) {
      known = halved(known, ...size);
      size = size.map((side) => side / 2);
      squares.push({ known, size });
    }
    let found = Float32Array.from({ length: known.length }, (_, i) => (i % 4 === 3 ? 1 : this.#mean[i % 4]));
    for (const { known: square, size: sides } of squares.reverse()) {
      for (let i = 0; i < square.length; i += 4) {
        const weight = square[i + 3];
        const rest = FARTHER * (1 - Math.min(weight, 1));
        for (let channel = 0; channel < 4; channel++) {
          found[i + channel] = square[i + channel] / Math.max(weight, 1) + rest * found[i + channel];
        }
      }
      found = doubled(found, ...sides);
    }
    return found;
  }
}

/** The first of the squares, and how many of their pixels, that hold `length` pixels and what their filling reads. */
function onGrid(start, length) {
  const first = (Math.floor(start / SQUARE) - 1) * SQUARE;
  return [first, (Math.ceil((start + length) / SQUARE) + 1) * SQUARE - first];
}

/** Sums of 2 x 2 pixels of four channels. */
function halved(pixels, height, width) {
  const sums = new Float32Array(pixels.length / 4);
  let to = 0;
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      const from = 4 * (y * width + x);
      for (let i = from; i < from + 4; i++) {
        sums[to++] = pixels[i] + pixels[i + 4] + pixels[i + 4 * width] + pixels[i + 4 * width + 4];
      }
    }
  }
  return sums;
}

/** Twice as many rows and columns, linear in between. */
function doubled(pixels, height, width) {
  const rows = new Float32Array(2 * pixels.length);
  for (let y = 0; y < 2 * height; y++) {
    const [near, next] = neighbours(y, height);
    for (let i = 0; i < 4 * width; i++) {
      rows[4 * width * y + i] = 0.75 * pixels[4 * width * near + i] + 0.25 * pixels[4 * width * next + i];
    }
  }
  const result = new Float32Array(4 * pixels.length);
  for (let y = 0; y < 2 * height; y++) {
    for (let x = 0; x < 2 * width; x++) {
      const [near, next] = neighbours(x, width).map((column) => 4 * (width * y + column));
      const to = 4 * (2 * width * y + x);
      for (let channel = 0; channel < 4; channel++) {
        result[to + channel] = 0.75 * rows[near + channel] + 0.25 * rows[next + channel];
      }
    }
  }
  return result;
}

/** Of the old places that a new one lies between the nearer one and the other. */
function neighbours(place, size) {
  const near = place >> 1;
  return [near, Math.min(Math.max(place % 2 === 0 ? near - 1 : near + 1, 0), size - 1)];
}

/** The index that stands for `index` beyond either end of an axis: 2 1 0 1 2 1 0 ... for size 3. */
export function reflect(index, size) {
  const period = Math.max(1, 2 * (size - 1));
  const folded = ((index % period) + period) % period;
  return Math.min(folded, period - folded);
}
