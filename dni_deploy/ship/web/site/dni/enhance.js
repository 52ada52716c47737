// One image through a network: padded to a size that it takes, tiled, joined, cropped.

import { Picture } from "./picture.js";
import { Seams } from "./seams.js";
import { planTiles } from "./tiling.js";

/**
 * Run `run` on every tile of `image`, and hand out finished parts of the result as soon as they are there.
 *
 * `run(data, dims)`: float32 (N, C, H, W) -> {data, dims}, float32 (N, C', sH, sW). `onBlock({x, y, width, height,
 * data})`: gets every pixel of the result once, RGBA. `onProgress(done, total)`: counts tiles. `pause()`: awaited before
 * each tile; may throw, to end it.
 *
 * Beside image and result, memory is bounded by the tile and by the seams, not by the image.
 */
export async function enhance(run, image, model, options, { onBlock, onProgress, pause }) {
  const [rows, columns] = planTiles(image.height, image.width, model, options);
  const picture = new Picture(image, model, options);
  const [batch, channels] = model.input.shape;
  if (![null, 1, picture.samples].includes(batch)) {
    throw new Error(`the model takes batches of ${batch} only, not a single image`);
  }
  const runChecked = checked(run, model.scale);
  const runSamples = batch === 1 && picture.samples > 1 ? oneByOne(runChecked) : runChecked;
  const seams = new Seams(rows, columns, model.scale);
  let done = 0;
  for (const [row, column] of seams.tiles()) {
    await pause();
    const input = picture.read(row.start, column.start, rows.tile, columns.tile);
    const { data, dims } = await runSamples(input, [picture.samples, channels, rows.tile, columns.tile]);
    const [samples, outputs, height, width] = dims;
    const finished = seams.add({ data, planes: samples * outputs, height, width }, row, column);
    const block = picture.finish(finished, row.first, column.first);
    if (block) onBlock(block);
    onProgress(++done, seams.count);
  }
}

/** `run` whose results are as large as `scale` says, all of one channel count; anything else would be garbage. */
function checked(run, [numerator, denominator]) {
  let channels = null;
  return async (data, [samples, inputs, ...size]) => {
    const output = await run(data, [samples, inputs, ...size]);
    const expected = size.map((length) => (length * numerator) / denominator).join("x");
    const [gotSamples, outputs, height, width] = output.dims;
    if (`${height}x${width}` !== expected) {
      throw new Error(`the network made ${height}x${width} pixels of ${size.join("x")}; expected ${expected}`);
    }
    channels ??= outputs;
    if (gotSamples !== samples || outputs !== channels) {
      throw new Error(
        `the network made ${gotSamples} images of ${outputs} channels from ${samples}; expected as many images, and ` +
          `${channels} channels every time`,
      );
    }
    return output;
  };
}

/** `run` for a network that takes batches of one only. */
function oneByOne(run) {
  return async (data, [samples, ...dims]) => {
    const size = data.length / samples;
    const results = [];
    for (let i = 0; i < samples; i++) results.push(await run(data.subarray(i * size, (i + 1) * size), [1, ...dims]));
    const joined = new Float32Array(results.length * results[0].data.length);
    results.forEach((result, i) => joined.set(result.data, i * result.data.length));
    return { data: joined, dims: [samples, ...results[0].dims.slice(1)] };
  };
}
