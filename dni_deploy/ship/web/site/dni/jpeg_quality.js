// The quality that a JPEG file was written at, as dni_deploy/image_files/jpeg_quality.py, which says what it means.

// Of brightness at quality 50 (ITU-T T.81, table K.1), in the order of the file.
const TABLE = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60,
  57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112,
  100, 120, 92, 101, 103, 99,
];
// Before its tables a file may have previews and notes, of 64 KB each.
const LIMIT_BYTES = 2 ** 24;
const [DQT, SOS, EOI] = [0xdb, 0xda, 0xd9];

/** The quality, 1 to 100, of a JPEG (a Blob or File) by the scale of libjpeg; null of any other file. */
export async function jpegQuality(blob) {
  const bytes = new DataView(await blob.slice(0, LIMIT_BYTES).arrayBuffer());
  const table = brightnessTable(bytes);
  if (table === null) return null;
  const distances = Array.from({ length: 100 }, (_, i) => distance(tableOf(i + 1), table));
  return distances.indexOf(Math.min(...distances)) + 1;
}

function tableOf(quality) {
  const scale = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  return TABLE.map((value) => Math.min(255, Math.max(1, Math.floor((value * scale + 50) / 100))));
}

/** Of logarithms: a step of 2 for 1 is as much as one of 200 for 100. */
function distance(one, other) {
  return one.reduce((sum, value, i) => sum + Math.abs(Math.log(value / other[i])), 0);
}

function brightnessTable(bytes) {
  if (bytes.byteLength < 2 || bytes.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; at + 4 <= bytes.byteLength; ) {
    const [mark, kind, length] = [bytes.getUint8(at), bytes.getUint8(at + 1), bytes.getUint16(at + 2)];
    if (mark !== 0xff || kind === SOS || kind === EOI) return null;
    const end = Math.min(at + 2 + Math.max(2, length), bytes.byteLength);
    const table = kind === DQT ? table0(bytes, at + 4, end) : null;
    if (table !== null) return table;
    at = end;
  }
  return null;
}

/** The table number 0, which is that of brightness, in a segment that may hold several; null without it. */
function table0(bytes, start, end) {
  for (let at = start; at < end; ) {
    const [precision, number] = [bytes.getUint8(at) >> 4, bytes.getUint8(at) & 15];
    const size = precision ? 2 : 1;
    const next = at + 1 + 64 * size;
    if (number === 0 && next <= end) {
      const values = Array.from({ length: 64 }, (_, i) =>
        size === 2 ? bytes.getUint16(at + 1 + 2 * i) : bytes.getUint8(at + 1 + i),
      );
      if (values.every((value) => value > 0)) return values;
    }
    at = next;
  }
  return null;
}
