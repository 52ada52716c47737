// One photograph through one model, at whatever strength was asked for last.
//
// While the slider moves, a part of the picture that takes about a tenth of a second is computed where the viewer looks;
// once it rests, the whole picture follows. Small pictures are computed whole at once. A new strength ends a whole
// picture between two tiles; nothing queues up.

import { meaning } from "./profile.js";

const LIVE_MS = 120;
const REST_MS = 160;
// Pictures of no more pixels, or of so many times the pixels of a part, are computed at once: one tile, one inference.
const WHOLE_PIXELS = 256 * 256;
const WHOLE_FACTOR = 4;
const LIVE_SIDE_FIRST = 128;
const LIVE_SIDE_MIN = 64;
const LIVE_SIDE_STEP = 32;
const LIVE_SIDE_MAX = 1024;
// Of a result. Browsers give larger canvases, too, and draw nothing into them.
const LIMIT_PIXELS = 256e6;
const LIMIT_SIDE = 32767;

export class Renderer {
  #model;
  #photo;
  #viewer;
  #tell;
  #wanted = null;
  #current = null;
  #shown = null;
  #wake = null;
  #abort = null;
  #isRunning = false;
  #isClosed = false;
  #waiting = [];
  #result = null;
  // What is drawn of the result: itself, unless its numbers mean other colours than a canvas shows for them.
  #drawn = null;
  #drawing = Promise.resolve();
  #liveSide = LIVE_SIDE_FIRST;

  /**
   * `tell.progress(done, total)`, `tell.live(alpha)`, `tell.done({alpha, ms})`, `tell.error(error)`: what
   * happens, as it happens.
   */
  constructor(model, photo, viewer, tell) {
    this.#model = model;
    this.#photo = photo;
    this.#viewer = viewer;
    this.#tell = tell;
  }

  /** Show the picture at `alpha`. `isSettled`: do not wait for the slider to rest. */
  request(alpha, isSettled) {
    if (!this.#wanted && this.#current && sameAlpha(alpha, this.#current.alpha)) {
      this.#current.isSettled ||= isSettled; // the slider was let go where it is
      if (isSettled) this.#wake?.();
      return;
    }
    if (!this.#isRunning && this.#shown && sameAlpha(alpha, this.#shown.alpha)) return;
    this.#wanted = { alpha, isSettled };
    this.#abort?.abort();
    this.#wake?.();
    if (!this.#isRunning) this.#work();
  }

  /** The whole result, {canvas, alpha}, once there is nothing left to do; null where that failed. */
  async whole() {
    if (this.#isRunning) await new Promise((resolve) => this.#waiting.push(resolve));
    return this.#shown;
  }

  close() {
    this.#isClosed = true;
    this.#wanted = null;
    this.#abort?.abort();
    this.#wake?.();
  }

  async #work() {
    this.#isRunning = true;
    while (this.#wanted) {
      this.#current = this.#wanted;
      this.#wanted = null;
      try {
        await this.#show(this.#current);
      } catch (error) {
        if (error.name !== "AbortError" && !this.#isClosed) this.#tell.error(error);
      }
    }
    this.#isRunning = false;
    this.#current = null;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #show(request) {
    const { width, height } = this.#photo.image;
    if (width * height > Math.max(WHOLE_PIXELS, WHOLE_FACTOR * this.#liveSide ** 2)) {
      await this.#runLive(request.alpha);
      if (!request.isSettled && !this.#wanted) await this.#rest();
      if (this.#wanted || this.#isClosed) return;
    }
    await this.#runWhole(request.alpha);
  }

  async #runLive(alpha) {
    const region = middleOf(this.#viewer.visibleRegion(), this.#liveSide);
    const start = performance.now();
    const image = await this.#model.run(this.#photo.image, alpha, { region, grey: this.#photo.grey, tile: 0 });
    if (this.#isClosed) return;
    const canvas = await this.#shownAs(image);
    if (this.#isClosed) return;
    this.#viewer.setLive({ canvas, region });
    this.#tell.live(alpha);
    this.#liveSide = nextSide(this.#liveSide, region, performance.now() - start);
  }

  /** Until the slider was let go, has not moved for a while, or has moved. */
  #rest() {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, REST_MS);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }

  async #runWhole(alpha) {
    const start = performance.now();
    this.#abort = new AbortController();
    this.#shown = null;
    let context = null;
    await this.#model.stream(this.#photo.image, alpha, {
      grey: this.#photo.grey,
      signal: this.#abort.signal,
      onStart: (size) => (context = this.#prepare(size)),
      onBlock: ({ x, y, width, data }) => {
        const block = new ImageData(data, width);
        context.putImageData(block, x, y);
        if (this.#drawn !== this.#result) this.#drawBlock(block, x, y);
        this.#viewer.redraw();
      },
      onProgress: this.#tell.progress,
    });
    await this.#drawing;
    if (this.#wanted || this.#isClosed) return;
    const ms = performance.now() - start;
    this.#shown = { canvas: this.#result, alpha };
    this.#liveSide = nextSide(this.#liveSide, this.#photo.image, ms);
    this.#viewer.setLive(null);
    this.#tell.done({ alpha, ms });
  }

  /** The canvas of the result, which until now shows the last one, or the photograph. */
  #prepare({ width, height }) {
    if (width * height > LIMIT_PIXELS || Math.max(width, height) > LIMIT_SIDE) {
      const limits = `${LIMIT_PIXELS / 1e6} million, ${LIMIT_SIDE} along a side`;
      throw new Error(`the result has ${width} × ${height} pixels; a page holds at most ${limits}: choose a smaller picture`);
    }
    if (!this.#result) {
      this.#result = new OffscreenCanvas(width, height);
      this.#drawn = this.#photo.isConverted ? new OffscreenCanvas(width, height) : this.#result;
      this.#drawn.getContext("2d").drawImage(this.#photo.bitmap, 0, 0, width, height);
      this.#viewer.setAfter(this.#drawn);
    }
    return this.#result.getContext("2d");
  }

  /** Draw a block of the result in the colours that it means, after those before it. */
  #drawBlock(block, x, y) {
    this.#drawing = this.#drawing.then(async () => {
      const shown = await this.#shownAs(block);
      const context = this.#drawn.getContext("2d");
      context.clearRect(x, y, block.width, block.height);
      context.drawImage(shown, x, y);
      this.#viewer.redraw();
    });
  }

  /** Something to draw that looks as the numbers of an ImageData mean. */
  async #shownAs(image) {
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return this.#photo.isConverted ? meaning(canvas, this.#photo.profile) : canvas;
  }
}

function sameAlpha(a, b) {
  return a === b || (a !== null && b !== null && a.every((value, index) => value === b[index]));
}

/** At most side x side pixels in the middle of `region`. */
function middleOf({ x, y, width, height }, side) {
  const size = { width: Math.min(width, side), height: Math.min(height, side) };
  return { x: x + ((width - size.width) >> 1), y: y + ((height - size.height) >> 1), ...size };
}

/**
 * The side of a square that would have taken LIVE_MS, where so many pixels took `ms`; the old one unless it is clearly
 * off, so that the part does not tremble.
 */
function nextSide(old, { width, height }, ms) {
  const side = Math.sqrt((width * height * LIVE_MS) / Math.max(ms, 1));
  if (side > old / 1.3 && side < old * 1.3) return old;
  const rounded = Math.floor(side / LIVE_SIDE_STEP) * LIVE_SIDE_STEP;
  return Math.min(LIVE_SIDE_MAX, Math.max(LIVE_SIDE_MIN, rounded));
}
