// The picture on screen: before and after in one place, with a divider, zoom and pan. Knows nothing of networks.

import { listenToPointers } from "./pointers.js";

const ZOOM_LIMIT = 16;
const ZOOM_STEP = 1.3;
const PAN_STEP = 60;
const SMOOTH_BELOW = 2;

export class Viewer {
  #view;
  #canvas;
  #divider;
  #before = null;
  #after = null;
  #live = null;
  #zoom = 1;
  #left = 0;
  #top = 0;
  #isFitted = true;
  #split = 0.5;
  #isDrawn = true;
  #onZoom;

  /**
   * `view`: the element that the picture fills, over `canvas`; `divider`: the handle. `onZoom(factor)`: pixels of the
   * screen for one of the picture.
   */
  constructor({ view, canvas, divider }, onZoom) {
    this.#view = view;
    this.#canvas = canvas;
    this.#divider = divider;
    this.#onZoom = onZoom;
    listenToPointers(view, {
      pan: (x, y) => this.#moveBy(x, y),
      zoom: (factor, x, y) => this.zoomBy(factor, x, y),
    });
    view.addEventListener("keydown", (event) => this.#onKey(event));
    divider.addEventListener("keydown", (event) => this.#onDividerKey(event));
    divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
    divider.addEventListener("pointermove", (event) => {
      if (divider.hasPointerCapture(event.pointerId)) this.#moveDivider(this.#position(event.clientX) / this.#size[0]);
    });
    divider.addEventListener("wheel", (event) => {
      event.preventDefault();
      view.dispatchEvent(new WheelEvent("wheel", event));
    });
    new ResizeObserver(() => this.#onResize()).observe(view);
  }

  /** Show a new picture: anything that a canvas can draw, with width and height. */
  show(before) {
    this.#before = before;
    this.#after = null;
    this.#live = null;
    this.#moveDivider(0.5);
    this.fit();
  }

  /** The result, drawn over the same place; null for none. */
  setAfter(after) {
    this.#after = after;
    this.redraw();
  }

  /** A part of the result that is newer: {canvas, region} with the region in pixels of `before`; null for none. */
  setLive(live) {
    this.#live = live;
    this.redraw();
  }

  /** What the viewer looks at, in whole pixels of `before`: what is on screen right of the divider, or left of it too. */
  visibleRegion() {
    const { width, height } = this.#before;
    const [viewWidth, viewHeight] = this.#size;
    const all = clip(-this.#left / this.#zoom, (viewWidth - this.#left) / this.#zoom, width);
    const after = clip((viewWidth * this.#split - this.#left) / this.#zoom, (viewWidth - this.#left) / this.#zoom, width);
    const [x, right] = after[1] - after[0] >= (all[1] - all[0]) / 4 ? after : all;
    const [y, bottom] = clip(-this.#top / this.#zoom, (viewHeight - this.#top) / this.#zoom, height);
    return { x, y, width: right - x, height: bottom - y };
  }

  fit() {
    const [width, height] = this.#size;
    if (!this.#before || width === 0) return;
    this.#isFitted = true;
    this.#zoom = Math.min(width / this.#before.width, height / this.#before.height, ZOOM_LIMIT);
    this.#left = (width - this.#before.width * this.#zoom) / 2;
    this.#top = (height - this.#before.height * this.#zoom) / 2;
    this.redraw();
  }

  /** One pixel of the picture for one of the screen's. */
  showRealPixels() {
    this.zoomBy(1 / (this.#zoom * devicePixelRatio));
  }

  /** Zoom about a point of the view, its middle without. */
  zoomBy(factor, x = this.#size[0] / 2, y = this.#size[1] / 2) {
    if (!this.#before) return;
    const least = Math.min(this.#size[0] / this.#before.width, this.#size[1] / this.#before.height, 1) / 2;
    const zoom = Math.min(ZOOM_LIMIT, Math.max(least, this.#zoom * factor));
    this.#left = x - ((x - this.#left) * zoom) / this.#zoom;
    this.#top = y - ((y - this.#top) * zoom) / this.#zoom;
    this.#zoom = zoom;
    this.#isFitted = false;
    this.#moveBy(0, 0);
  }

  /** Draw at the next frame, however often this is called before it. */
  redraw() {
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    requestAnimationFrame(() => {
      this.#isDrawn = true;
      if (!this.#before) return;
      this.#draw();
      this.#onZoom(this.#zoom * devicePixelRatio);
    });
  }

  get #size() {
    return [this.#view.clientWidth, this.#view.clientHeight];
  }

  #position(clientX) {
    return clientX - this.#view.getBoundingClientRect().left;
  }

  #onResize() {
    if (this.#isFitted) this.fit();
    else this.#moveBy(0, 0);
  }

  #moveBy(x, y) {
    if (!this.#before) return;
    const [width, height] = this.#size;
    this.#left = keepInView(this.#left + x, this.#before.width * this.#zoom, width);
    this.#top = keepInView(this.#top + y, this.#before.height * this.#zoom, height);
    if (x || y) this.#isFitted = false;
    this.redraw();
  }

  #moveDivider(split) {
    this.#split = Math.min(1, Math.max(0, split));
    this.#divider.style.left = `${100 * this.#split}%`;
    this.#divider.setAttribute("aria-valuenow", Math.round(100 * this.#split));
    this.redraw();
  }

  #onKey(event) {
    const actions = {
      ArrowLeft: () => this.#moveBy(PAN_STEP, 0),
      ArrowRight: () => this.#moveBy(-PAN_STEP, 0),
      ArrowUp: () => this.#moveBy(0, PAN_STEP),
      ArrowDown: () => this.#moveBy(0, -PAN_STEP),
      "+": () => this.zoomBy(ZOOM_STEP),
      "=": () => this.zoomBy(ZOOM_STEP),
      "-": () => this.zoomBy(1 / ZOOM_STEP),
      0: () => this.fit(),
      1: () => this.showRealPixels(),
    };
    act(event, actions);
  }

  #onDividerKey(event) {
    const by = (change) => () => this.#moveDivider(this.#split + change);
    act(event, {
      ArrowLeft: by(-0.02),
      ArrowDown: by(-0.02),
      ArrowRight: by(0.02),
      ArrowUp: by(0.02),
      PageDown: by(-0.1),
      PageUp: by(0.1),
      Home: () => this.#moveDivider(0),
      End: () => this.#moveDivider(1),
    });
  }

  #draw() {
    const [width, height] = this.#size;
    const ratio = devicePixelRatio;
    const canvas = this.#canvas;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#drawSide(context, 0, width * this.#split, () => this.#drawScaled(context, this.#before));
    this.#drawSide(context, width * this.#split, width, () => {
      this.#drawScaled(context, this.#after ?? this.#before);
      if (this.#live) this.#drawLive(context, this.#live);
    });
  }

  #drawSide(context, from, to, draw) {
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, this.#size[1]);
    context.clip();
    context.translate(this.#left, this.#top);
    context.scale(this.#zoom, this.#zoom);
    context.imageSmoothingQuality = "high";
    context.imageSmoothingEnabled = this.#zoom * devicePixelRatio < SMOOTH_BELOW;
    draw();
    context.restore();
  }

  #drawScaled(context, source) {
    context.drawImage(source, 0, 0, this.#before.width, this.#before.height);
  }

  #drawLive(context, { canvas, region }) {
    context.clearRect(region.x, region.y, region.width, region.height);
    context.drawImage(canvas, region.x, region.y, region.width, region.height);
    for (const [color, extra] of [["rgb(0 0 0 / 55%)", 3], ["rgb(255 255 255 / 90%)", 1.5]]) {
      context.strokeStyle = color;
      context.lineWidth = extra / this.#zoom;
      context.strokeRect(region.x, region.y, region.width, region.height);
    }
  }
}

function act(event, actions) {
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(actions, event.key)) return;
  event.preventDefault();
  actions[event.key]();
}

/** Whole pixels between `from` and `to`, within 0..size; at least one. */
function clip(from, to, size) {
  const start = Math.min(size - 1, Math.max(0, Math.floor(from)));
  return [start, Math.max(start + 1, Math.min(size, Math.ceil(to)))];
}

/** A picture smaller than the view is centred; a larger one leaves no gap. */
function keepInView(start, length, viewLength) {
  if (length <= viewLength) return (viewLength - length) / 2;
  return Math.min(0, Math.max(viewLength - length, start));
}
