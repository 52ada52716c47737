// A photograph on its way into the page: chosen, dropped or pasted, and decoded.

import { isGrey } from "../dni/dni.js";

const SIDE_LIMIT = 16384;

/**
 * Decode an image file: {name, image, bitmap, grey}, image as ImageData, bitmap to draw. Throws Error with a sentence
 * for the person who chose it.
 */
export async function readPhoto(file, name = file.name ?? "picture") {
  const bitmap = await createImageBitmap(file).catch(() => {
    const kind = file.type ? ` (${file.type})` : "";
    throw new Error(`${name}${kind} is not an image that this browser can read; try JPEG, PNG, WebP or AVIF`);
  });
  const { width, height } = bitmap;
  if (Math.max(width, height) > SIDE_LIMIT) {
    throw new Error(`${name} has ${width} × ${height} pixels; at most ${SIDE_LIMIT} along a side fit into a page`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, width, height);
  return { name, image, bitmap, grey: isGrey(image.data) };
}

/** Call `take(file)` for a file that is dropped on the page, pasted, or chosen with `input`. */
export function listenForPhotos({ page, input, take }) {
  input.addEventListener("change", () => {
    if (input.files.length > 0) take(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) take(file);
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
    if (event.dataTransfer.files.length > 0) take(event.dataTransfer.files[0]);
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
