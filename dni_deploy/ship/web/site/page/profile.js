// The colour profile of a photograph: a network sees its numbers, as with `dni run`; the browser shows what they mean.

// Where profiles are: in front of the pixels.
const LIMIT_BYTES = 2 ** 24;
const PNG_START = 33; // the signature and the header
const OF_COLORS = ["iCCP", "sRGB", "gAMA", "cHRM", "cICP"];

/** The RGB profile that a JPEG, PNG or WebP (a Blob) holds, as bytes; null of any other file. */
export async function profileOf(blob) {
  const bytes = new Uint8Array(await blob.slice(0, LIMIT_BYTES).arrayBuffer());
  const found = await (ofJpeg(bytes) ?? ofPng(bytes) ?? ofWebp(bytes));
  return found && text(found, 16, 20) === "RGB " ? found : null;
}

/** Whether a profile is that of numbers that are shown as they are, by its name. */
export function isSrgb(profile) {
  return new TextDecoder("latin1").decode(profile).replaceAll("\0", "").includes("sRGB");
}

/** A PNG (a Blob) whose numbers mean what `profile` says. */
export async function withProfile(blob, profile) {
  const png = new Uint8Array(await blob.arrayBuffer());
  const packed = await through(new CompressionStream("deflate"), profile);
  const content = new Uint8Array([...ascii("iCCP"), ...ascii("ICC Profile"), 0, 0, ...packed]);
  const parts = [png.subarray(0, PNG_START), number(content.length - 4), content, number(checksum(content))];
  for (const { kind, start, end } of chunks(png)) {
    if (start >= PNG_START && !OF_COLORS.includes(kind)) parts.push(png.subarray(start, end));
  }
  return new Blob(parts, { type: "image/png" });
}

/** What the numbers in a canvas look like, to be drawn in their place. */
export async function meaning(canvas, profile) {
  return createImageBitmap(await withProfile(await canvas.convertToBlob({ type: "image/png" }), profile));
}

function ofJpeg(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  const parts = [];
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda; ) {
    const end = at + 2 + Math.max(2, bytes[at + 2] * 256 + bytes[at + 3]);
    if (bytes[at + 1] === 0xe2 && text(bytes, at + 4, at + 15) === "ICC_PROFILE") {
      parts[bytes[at + 16]] = bytes.subarray(at + 18, end);
    }
    at = end;
  }
  return joined(parts.filter(Boolean));
}

function ofPng(bytes) {
  if (text(bytes, 1, 4) !== "PNG") return null;
  for (const { kind, start, end } of chunks(bytes)) {
    if (kind === "IDAT") return null;
    if (kind !== "iCCP") continue;
    const content = bytes.subarray(start + 8, end - 4);
    return through(new DecompressionStream("deflate"), content.subarray(content.indexOf(0) + 2)).catch(() => null);
  }
  return null;
}

function ofWebp(bytes) {
  if (text(bytes, 0, 4) !== "RIFF" || text(bytes, 8, 12) !== "WEBP") return null;
  const view = new DataView(bytes.buffer);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (text(bytes, at, at + 4) === "ICCP") return bytes.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length % 2);
  }
  return null;
}

function* chunks(png) {
  const view = new DataView(png.buffer);
  for (let start = 8; start + 12 <= png.length; ) {
    const end = start + 12 + view.getUint32(start);
    yield { kind: text(png, start + 4, start + 8), start, end };
    start = end;
  }
}

async function through(stream, bytes) {
  const response = new Response(new Blob([bytes]).stream().pipeThrough(stream));
  return new Uint8Array(await response.arrayBuffer());
}

function joined(parts) {
  if (parts.length === 0) return null;
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (result.set(part, at), at + part.length), 0);
  return result;
}

function number(value) {
  return new Uint8Array([value >>> 24, value >>> 16, value >>> 8, value]);
}

/** CRC-32 (PNG, annex D). */
function checksum(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

const ascii = (string) => new TextEncoder().encode(string);
const text = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));
