// How noisy a photograph is, told from the photograph alone. As dni_runtime/images/noise.py, where the reasons are
// written down: the deviation of its finest diagonal detail in its smooth blocks, what was clipped put right.

const SMALLEST_SIDE = 64;
const LEVELS = 255;
const BLOCK = 16;
const ORDER = 3;
const GAIN = 20;
const SHARE = 0.1;
const SMALLER = 0.8721;
const DISTANCE = [0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.7, 2.0, 2.4, 3.0, 4.0];
const LOST = [1.5044, 1.3815, 1.2918, 1.225, 1.1745, 1.1199, 1.0827, 1.0502, 1.0234, 1.0079, 1.0013, 1.0];
const SHARED = Math.sqrt(3);
const FREE_SHARE = 0.1;
const ENOUGH_PIXELS = 2 ** 20;

/**
 * The sigma of the noise in `image` ({width, height, data}, RGBA of 8 bits), of 255; null where it is too small to tell.
 * `grey`: its three colours are one. `channels`: of the network that is to take it away, 1 or 3.
 */
export function estimateNoise(image, grey, channels) {
  if (Math.min(image.width, image.height) < SMALLEST_SIDE) return null;
  const colors = [0, 1, 2].slice(0, grey ? 1 : 3).map((channel) => (data, at) => data[at + channel]);
  const apart = deviation(image, colors);
  if (channels === 1) return apart;
  const mean = (data, at) => (data[at] + data[at + 1] + data[at + 2]) / 3;
  return Math.max(apart, SHARED * (grey ? apart : deviation(image, [mean])));
}

/** The deviation of the noise in what `readers` read, from the blocks of all of them. */
function deviation({ width, height, data }, readers) {
  const blocks = [];
  const step = Math.ceil((height * width) / ENOUGH_PIXELS);
  const strips = Math.floor((height - ORDER) / BLOCK);
  for (let strip = 0; strip < strips; strip += step) {
    for (const read of readers) addBlocks(blocks, data, width, strip * BLOCK, read);
  }
  const free = blocks.filter(({ deviation, mean }) => {
    return Math.min(mean / deviation, (LEVELS - mean) / deviation) > DISTANCE[0];
  });
  const smooth =
    free.length >= FREE_SHARE * blocks.length ? free.map(restored) : blocks.map(({ deviation }) => deviation);
  return quantile(smooth, SHARE) / SMALLER;
}

/** The deviation of the detail, and the mean of the pixels, of every block in the strip that begins at `top`. */
function addBlocks(blocks, data, width, top, read) {
  const used = Math.floor((width - ORDER) / BLOCK) * BLOCK;
  const row = 4 * width;
  const power = new Float64Array(used / BLOCK);
  const sum = new Float64Array(used / BLOCK);
  const falls = new Float64Array(used + ORDER);
  for (let y = top; y < top + BLOCK; y++) {
    for (let x = 0; x < used + ORDER; x++) {
      const at = y * row + 4 * x;
      const below = read(data, at + row);
      falls[x] = read(data, at + 3 * row) - 3 * read(data, at + 2 * row) + 3 * below - read(data, at);
      if (x >= 1 && x <= used) sum[Math.floor((x - 1) / BLOCK)] += below;
    }
    for (let x = 0; x < used; x++) {
      const detail = falls[x + 3] - 3 * falls[x + 2] + 3 * falls[x + 1] - falls[x];
      power[Math.floor(x / BLOCK)] += detail * detail;
    }
  }
  const count = BLOCK * BLOCK;
  power.forEach((each, i) => blocks.push({ deviation: Math.sqrt(each / count) / GAIN, mean: sum[i] / count }));
}

/** The deviation before anything was clipped at black or white. */
function restored({ deviation, mean }) {
  const black = mean / deviation;
  const white = (LEVELS - mean) / deviation;
  return deviation * lost(black / lost(white)) * lost(white / lost(black));
}

/** Between the places of the table in a straight line, beyond them as at its ends. */
function lost(distance) {
  const after = DISTANCE.findIndex((place) => place >= distance);
  if (after === -1) return LOST.at(-1);
  if (after === 0) return LOST[0];
  const share = (distance - DISTANCE[after - 1]) / (DISTANCE[after] - DISTANCE[after - 1]);
  return LOST[after - 1] + share * (LOST[after] - LOST[after - 1]);
}

function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
