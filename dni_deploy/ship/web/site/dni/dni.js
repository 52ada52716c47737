/**
 * A network whose strength is chosen at run time, in the browser.
 *
 *     import { load } from "./dni/dni.js";
 *     const model = await load("models/denoise.onnx");
 *     const result = await model.run(imageData, 0.4);      // ImageData in, ImageData out
 *
 * Needs this folder (with ort/, ONNX Runtime) on the page's own server, and beside each model the .json that
 * `dni ship web` writes. All work is done by a worker; the page stays responsive. `alpha` is the share of the first
 * endpoint; models of more than two endpoints take an array, baked models none.
 */

import { checkAlpha } from "./alpha.js";
import { nearestAlpha, whyNoChoice } from "./calibration.js";
import { jpegQuality } from "./jpeg_quality.js";
import { Connection } from "./connection.js";
import { download } from "./download.js";
import { checkMetadata } from "./metadata.js";
import { cropBlock, cutRegion, pasteBlock, wholeImage } from "./region.js";

export { whyNoChoice } from "./calibration.js";
export { jpegQuality } from "./jpeg_quality.js";
export { isGrey } from "./picture.js";

const LIMIT_METADATA_BYTES = 8e6;
// No ONNX file has more.
const LIMIT_MODEL_BYTES = 2 ** 31 - 1;

/**
 * Load a model.
 *
 * `device`: "auto" (WebGPU where there is a real one, else wasm), "webgpu" or "wasm". `threads`: of wasm, null for one a
 * core, at most 8; needs a cross-origin isolated page. `metadata`: in place of the .json beside the model.
 * `onProgress(done, total)`: bytes of the model. `signal`: an AbortSignal.
 *
 * Model and metadata may be a stranger's: what they say is checked, and no more memory is taken than an image justifies.
 * How long the network runs is up to it; `close` ends it at any time.
 */
export async function load(url, { device = "auto", threads = null, metadata = null, onProgress, signal } = {}) {
  if (!["auto", "webgpu", "wasm"].includes(device)) {
    throw new RangeError(`device is ${device}; expected auto, webgpu or wasm`);
  }
  const address = new URL(url, document.baseURI);
  const about = metadata ? checkMetadata(metadata, "the metadata given") : await fetchMetadata(address, signal);
  const connection = new Connection();
  const abort = () => connection.close(signal.reason);
  signal?.addEventListener("abort", abort);
  try {
    const bytes = await download(address, { limitBytes: LIMIT_MODEL_BYTES, onProgress, signal });
    const opening = { task: "open", bytes, metadata: about, options: { device, threads } };
    const opened = await connection.ask(opening, {}, undefined, [bytes.buffer]);
    return new Model(connection, about, opened);
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** A loaded model. `metadata`: what the .json says; `device`, `threads`, `note`: where it runs, and why there. */
export class Model {
  #connection;

  constructor(connection, metadata, { device, threads, note }) {
    this.#connection = connection;
    this.metadata = metadata;
    this.device = device;
    this.threads = threads;
    this.note = note;
  }

  /**
   * Run `image` (ImageData: RGBA of 8 bits, any size) at `alpha`; returns ImageData, scale times as large.
   *
   * It is padded, tiled and joined as Python's `Model.enhance` does, and equals it. `alpha` may be "auto", see
   * `chooseAlpha`. `options`: those of `stream`.
   */
  async run(image, alpha, options = {}) {
    let result = null;
    await this.stream(image, alpha, {
      ...options,
      onStart: ({ width, height }) => (result = new ImageData(width, height)),
      onBlock: (block) => pasteBlock(result, block),
    });
    return result;
  }

  /**
   * The same without an image of the result: `onBlock({x, y, width, height, data})` gets every pixel of it once, as
   * RGBA, top to bottom, as soon as it is there.
   *
   * `region`: {x, y, width, height} in pixels of `image`, the only part that is wanted; as much around it as the network
   * looks at is taken into account. `grey`: treat the image as grey. `file`: what it was read from, for "auto". `tile`,
   * `overlap`: in input pixels, tile 0 for none; automatic without. `onStart({width, height})`: the size of the result.
   * `onProgress(done, total)`: tiles. `signal`: an AbortSignal; ends between two tiles, with an AbortError.
   *
   * Returns {inferenceMs}, the milliseconds spent in the network. Throws RangeError for a wrong alpha or option.
   */
  async stream(image, alpha, options = {}) {
    const { region = null, grey = false, file = null, tile = null, overlap = null } = options;
    const { onStart, onBlock, onProgress, signal } = options;
    const chosen = alpha === "auto" ? (await this.chooseAlpha(image, { grey, file })).alpha : alpha;
    const values = checkAlpha(chosen, this.metadata);
    const part = region ? cutRegion(image, region, this.metadata) : wholeImage(image, this.metadata);
    onStart?.({ width: part.wanted.width, height: part.wanted.height });
    const message = {
      task: "enhance",
      image: { width: part.image.width, height: part.image.height, data: part.image.data },
      alpha: values,
      options: { grey, tile, overlap },
    };
    const handlers = {
      block: ({ block }) => {
        const wanted = cropBlock(block, part.wanted);
        if (wanted) onBlock?.(wanted);
      },
      progress: ({ done, total }) => onProgress?.(done, total),
    };
    // A cut-out is nobody else's: it goes without a copy.
    return this.#connection.ask(message, handlers, signal, region ? [part.image.data.buffer] : []);
  }

  /**
   * The alpha that fits `image` (ImageData): {alpha, kind, level}. By the `noise` in it, which is estimated, its sigma
   * of 255; or, where the model is calibrated for that, by the quality of the `jpeg` that it was read from, `file` (a
   * Blob).
   *
   * As Python's `Model.choose_alpha` and `dni run --alpha auto`. Throws RangeError where the model is not calibrated, the
   * image too small to tell its noise, or the file no JPEG.
   */
  async chooseAlpha(image, { grey = false, file = null } = {}) {
    const { width, height, data } = image;
    const reason = whyNoChoice(this.metadata);
    if (reason) throw new RangeError(`${reason}; give alpha as a number`);
    const { calibration } = this.metadata;
    if (calibration.kind === "jpeg") {
      if (!file) {
        const where = "which is in a file and not in pixels";
        throw new RangeError(`this model is calibrated for the quality of JPEGs, ${where}; give it, or alpha as a number`);
      }
      const level = await jpegQuality(file);
      if (level === null) throw new RangeError("this is no JPEG, so it has no quality; give alpha as a number");
      return { alpha: nearestAlpha(calibration, level), kind: "jpeg", level };
    }
    const { noise } = await this.#connection.ask({ task: "noise", image: { width, height, data }, grey });
    if (noise === null) {
      throw new RangeError(`${width} × ${height} pixels are too few to tell the noise; give alpha as a number`);
    }
    return { alpha: nearestAlpha(calibration, noise), kind: "noise", level: noise };
  }

  /**
   * The network itself, as Python's `model(x, alpha)`: `data` float32 (N, C, H, W), RGB, in the model's range, and
   * `dims` its four sizes; returns {data, dims}. Nothing is padded or tiled.
   */
  async infer(data, dims, alpha) {
    const values = checkAlpha(alpha, this.metadata);
    const count = dims.reduce((product, size) => product * size, 1);
    if (!(data instanceof Float32Array) || dims.length !== 4 || data.length !== count) {
      throw new RangeError(`expected a Float32Array of N x C x H x W values; got ${data.length} for ${dims}`);
    }
    return this.#connection.ask({ task: "infer", data, dims, alpha: values });
  }

  /** End the worker and give its memory back. Calls that run are rejected. */
  close() {
    this.#connection.close();
  }
}

async function fetchMetadata(address, signal) {
  const url = new URL(address.href.replace(/\.onnx(?=$|[?#])/, ".json"));
  const bytes = await download(url, { limitBytes: LIMIT_METADATA_BYTES, signal });
  return checkMetadata(parsed(bytes), url);
}

/** What is written in JSON; null where it is none. */
function parsed(bytes) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
