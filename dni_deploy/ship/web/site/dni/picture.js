// An image of 8 bits on its way through a network: tiles read as floats, results written as RGBA.
// As dni_runtime/images/conversion.py and picture.py.

import { HiddenColors, reflect } from "./hidden_colors.js";

const OPAQUE = 255;

export class Picture {
  #pixels;
  #model;
  #colors;
  #colorSamples;
  #levels;
  #opacity;
  #hidden;

  /**
   * `image`: {width, height, data}, data RGBA as in ImageData. `grey`: take its red for grey, as Python takes a
   * grey image: a network of three channels gets it three times, and the mean of what it makes comes out.
   */
  constructor(image, model, { grey = false } = {}) {
    const channels = model.input.shape[1];
    this.#pixels = image;
    this.#model = model;
    this.#colors = grey ? 1 : 3;
    this.#colorSamples = channels === 1 ? this.#colors : 1;
    const [low, high] = model.range;
    const step = Math.fround(255 / (high - low));
    this.#levels = Float32Array.from({ length: 256 }, (_, level) => Math.fround(level / step) + low);
    const [least, most] = opacityRange(image.data);
    const runsOpacity = least !== most && model.scale[0] !== model.scale[1];
    this.#opacity = { runs: runsOpacity, constant: least === most ? least : null };
    this.#hidden = least === 0 && most > 0 ? new HiddenColors(image) : null;
    /** How many images of a batch one tile is. */
    this.samples = this.#colorSamples + (runsOpacity ? 1 : 0);
    this.width = scaledUp(image.width, model.scale);
    this.height = scaledUp(image.height, model.scale);
  }

  /** A tile as float32, samples x channels x height x width; reflected beyond the bottom and right end. */
  read(top, left, height, width) {
    const channels = this.#model.input.shape[1];
    const values = new Float32Array(this.samples * channels * height * width);
    const { data, rows, columns } = this.#tile(top, left, height, width);
    let at = 0;
    for (let sample = 0; sample < this.samples; sample++) {
      for (let channel = 0; channel < channels; channel++) {
        const source = this.#sourceOf(sample, channel);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) values[at++] = this.#levels[data[rows[y] + columns[x] + source]];
        }
      }
    }
    return values;
  }

  /**
   * Turn finished planes (samples * C' of them) into {x, y, width, height, data} with data RGBA, null where all of
   * it lies beyond the image's ends. Throws where the network makes no image, or NaN.
   */
  finish(block, top, left) {
    const outputs = block.planes / this.samples;
    const width = Math.min(block.width, this.width - left);
    const height = Math.min(block.height, this.height - top);
    if (width <= 0 || height <= 0) return null;
    if (![1, 3].includes(outputs) || (this.#colorSamples > 1 && outputs !== 1)) {
      throw new Error(
        `the network turns ${this.#model.input.shape[1]} channels into ${outputs}, no grey or RGB image`,
      );
    }
    const data = new Uint8ClampedArray(4 * width * height);
    const size = block.height * block.width;
    const planes = Array.from({ length: block.planes }, (_, i) => block.data.subarray(i * size, (i + 1) * size));
    const isMean = this.#colors === 1 && this.#model.input.shape[1] === 3;
    const colors = planes.slice(0, this.#colorSamples * outputs);
    for (let channel = 0; channel < 3; channel++) {
      this.#writeChannel(data, channel, isMean ? colors : [colors[channel % colors.length]], block, width, height);
    }
    if (this.#opacity.runs) {
      const opacity = planes.slice(this.#colorSamples * outputs);
      this.#writeChannel(data, 3, this.#model.input.shape[1] === 3 ? opacity : [opacity[0]], block, width, height);
    } else {
      this.#copyOpacity(data, top, left, width, height);
    }
    return { x: left, y: top, width, height, data };
  }

  /** Where the rows and columns of a tile begin in `data`, which is the image's, or of one with hidden pixels its own. */
  #tile(top, left, height, width) {
    if (this.#hidden !== null) {
      const rows = Array.from({ length: height }, (_, y) => 4 * width * y);
      const columns = Array.from({ length: width }, (_, x) => 4 * x);
      return { data: this.#hidden.cutOut(top, left, height, width), rows, columns };
    }
    const image = this.#pixels;
    const rows = Array.from({ length: height }, (_, y) => 4 * image.width * reflect(top + y, image.height));
    const columns = Array.from({ length: width }, (_, x) => 4 * reflect(left + x, image.width));
    return { data: image.data, rows, columns };
  }

  #sourceOf(sample, channel) {
    if (sample === this.#colorSamples) return 3;
    if (this.#colors === 1) return 0;
    return this.#colorSamples === 3 ? sample : channel;
  }

  /** The mean of `planes` into one channel of `data`; the array itself rounds to the nearest even and clips. */
  #writeChannel(data, channel, planes, block, width, height) {
    const [low, high] = this.#model.range;
    const step = Math.fround(255 / (high - low));
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = y * block.width + x;
        let value = planes[0][from];
        if (planes.length > 1) {
          for (let i = 1; i < planes.length; i++) value = Math.fround(value + planes[i][from]);
          value = Math.fround(value / planes.length);
        }
        if (Number.isNaN(value)) throw new Error("the network's output holds NaN; check the model's weights");
        data[4 * (y * width + x) + channel] = Math.fround(Math.fround(value - low) * step);
      }
    }
  }

  #copyOpacity(data, top, left, width, height) {
    const source = this.#pixels;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const to = 4 * (y * width + x);
        const from = 4 * ((top + y) * source.width + left + x);
        data[to + 3] = this.#opacity.constant ?? source.data[from + 3];
        if (this.#hidden !== null && data[to + 3] === 0) data.set(source.data.subarray(from, from + 3), to);
      }
    }
  }
}

/** Output pixels of so many input pixels. */
export const scaledUp = (pixels, [numerator, denominator]) => Math.ceil((pixels * numerator) / denominator);

/** Whether every pixel of RGBA data is grey. */
export function isGrey(data) {
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  }
  return true;
}

function opacityRange(data) {
  let least = OPAQUE;
  let most = 0;
  for (let i = 3; i < data.length; i += 4) {
    if (data[i] < least) least = data[i];
    if (data[i] > most) most = data[i];
  }
  return [least, most];
}
