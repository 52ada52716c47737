// A photograph on its way into the page: chosen, dropped or pasted, and decoded.

import { isGrey } from "../dni/dni.js";
import { isSrgb, profileOf } from "./profile.js";

const LIMIT_BYTES = 512e6;
// A page takes 24 bytes a pixel, 1.5 GB in all, for the photograph and a result as large. A longer side is more than some
// browsers' canvases take.
const LIMIT_PIXELS = 64e6;
const LIMIT_SIDE = 16384;

/**
 * Decode an image file: {name, file, image, bitmap, grey, profile, isConverted}, image as ImageData, whose numbers are
 * those of the file; bitmap to draw, in the colours that `profile` says they mean, null for sRGB; isConverted: whether
 * that is other than the numbers. Throws Error with a sentence for the person who chose it.
 */
export async function readPhoto(file, name = file.name ?? "picture") {
  await checkSize(file, name);
  const profile = await profileOf(file);
  const isConverted = profile !== null && !isSrgb(profile);
  const bitmap = await createImageBitmap(file).catch(() => refuse(file, name));
  const numbers = isConverted ? await createImageBitmap(file, { colorSpaceConversion: "none" }) : bitmap;
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(numbers, 0, 0);
  const image = context.getImageData(0, 0, width, height);
  if (isConverted) numbers.close();
  return { name, file, image, bitmap, grey: isGrey(image.data), profile, isConverted };
}

/** Throw unless the file is an image of a size that fits into a page; its pixels are not decoded for that. */
async function checkSize(file, name) {
  if (file.size > LIMIT_BYTES) {
    throw new Error(`${name} has ${Math.round(file.size / 1e6)} MB; at most ${LIMIT_BYTES / 1e6} MB fit into a page`);
  }
  if (file.type === "image/svg+xml") refuse(file, name); // a document that draws, for as long as it likes
  const url = URL.createObjectURL(file);
  const image = new Image();
  await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject, src: url }))
    .catch(() => refuse(file, name))
    .finally(() => URL.revokeObjectURL(url));
  const { naturalWidth: width, naturalHeight: height } = image;
  if (width * height > LIMIT_PIXELS || Math.max(width, height) > LIMIT_SIDE) {
    const limits = `${LIMIT_PIXELS / 1e6} million, ${LIMIT_SIDE} along a side,`;
    throw new Error(`${name} has ${width} × ${height} pixels; at most ${limits} fit into a page`);
  }
}

function refuse(file, name) {
  const kind = file.type ? ` (${file.type})` : "";
  throw new Error(`${name}${kind} is not an image that this browser can read; try JPEG, PNG, WebP or AVIF`);
}

/** Call `take(files)` for files, one or more, that are dropped on the page, pasted, or chosen with `input`. */
export function listenForPhotos({ page, input, take }) {
  input.addEventListener("change", () => {
    if (input.files.length > 0) take([...input.files]);
    input.value = ""; // the same file may be chosen again
  });
  document.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files ?? [];
    if (files.length > 0) take([...files]);
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    page.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) page.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    page.classList.remove("dropping");
    if (event.dataTransfer.files.length > 0) take([...event.dataTransfer.files]);
  });
}

/** Let the browser save `blob` as a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
