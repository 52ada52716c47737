// A part of an image, and parts of its result.

import { scaledUp } from "./picture.js";
import { automaticOverlap, reachIsKnown, roundUp, sizeUnit } from "./tiling.js";

/** All of `image`: {image, wanted}, wanted being what is to be handed out of the result. */
export const wholeImage = (image, { scale }) => ({
  image,
  wanted: { x: 0, y: 0, width: scaledUp(image.width, scale), height: scaledUp(image.height, scale) },
});

/** `region` of `image`, with as much around it as the network looks at; wanted is the region alone. */
export function cutRegion(image, region, model) {
  const inside = region.x >= 0 && region.y >= 0 && region.width > 0 && region.height > 0;
  if (!inside || region.x + region.width > image.width || region.y + region.height > image.height) {
    throw new RangeError(`region is ${JSON.stringify(region)}; expected a part of ${image.width}x${image.height}`);
  }
  const unit = sizeUnit(model);
  const around = reachIsKnown(model) ? model.overlap : automaticOverlap(model);
  const [left, right] = widen(region.x, region.width, image.width, around, unit);
  const [top, bottom] = widen(region.y, region.height, image.height, around, unit);
  const data = new Uint8ClampedArray(4 * (right - left) * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = 4 * (y * image.width + left);
    data.set(image.data.subarray(from, from + 4 * (right - left)), 4 * (y - top) * (right - left));
  }
  const [numerator, denominator] = model.scale;
  const scaled = (pixels) => Math.floor((pixels * numerator) / denominator);
  const x = scaled(region.x - left);
  const y = scaled(region.y - top);
  return {
    image: { width: right - left, height: bottom - top, data },
    wanted: {
      x,
      y,
      width: scaledUp(region.x - left + region.width, model.scale) - x,
      height: scaledUp(region.y - top + region.height, model.scale) - y,
    },
  };
}

/** From and to: `around` more on both sides, on the grid of `unit`, within the axis of `size`. */
function widen(start, length, size, around, unit) {
  const from = Math.max(0, Math.floor((start - around) / unit) * unit);
  return [from, Math.min(size, from + roundUp(start + length + around - from, unit))];
}

/** What of `block` lies in `wanted`, counted from there; null where nothing does. */
export function cropBlock(block, wanted) {
  const left = Math.max(block.x, wanted.x);
  const top = Math.max(block.y, wanted.y);
  const width = Math.min(block.x + block.width, wanted.x + wanted.width) - left;
  const height = Math.min(block.y + block.height, wanted.y + wanted.height) - top;
  if (width <= 0 || height <= 0) return null;
  if (width === block.width && height === block.height) {
    return { ...block, x: left - wanted.x, y: top - wanted.y };
  }
  const cropped = { x: left - wanted.x, y: top - wanted.y, width, height, data: null };
  cropped.data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 4 * ((top - block.y + y) * block.width + left - block.x);
    cropped.data.set(block.data.subarray(from, from + 4 * width), 4 * y * width);
  }
  return cropped;
}

/** Write a block into the image that it is a part of. */
export function pasteBlock(result, block) {
  for (let y = 0; y < block.height; y++) {
    const row = block.data.subarray(4 * y * block.width, 4 * (y + 1) * block.width);
    result.data.set(row, 4 * ((block.y + y) * result.width + block.x));
  }
}
