// The thread that computes. dni.js sends it {id, task, ...}; it answers {id, kind, ...}, any number of
// "progress" and "block", then one "done" or "error". Tasks run one after another, but for "noise", which is quick.

import { enhance } from "./enhance.js";
import { estimateNoise } from "./noise.js";
import { openSession } from "./session.js";

let model;
let session;
let queue = Promise.resolve();
const aborted = new Set();

const tasks = {
  async open({ bytes, metadata, options }) {
    model = metadata;
    session = await openSession(bytes, model, options);
    return { device: session.device, threads: session.threads, note: session.note };
  },

  async noise({ image, grey }) {
    return { noise: estimateNoise(image, grey, model.input.shape[1]) };
  },

  async infer({ data, dims, alpha }) {
    const output = await session.run(data, dims, alpha);
    return { ...output, transfer: [output.data.buffer] };
  },

  async enhance({ id, image, alpha, options }, tell) {
    let inference = 0;
    const timed = async (data, dims) => {
      const start = performance.now();
      const output = await session.run(data, dims, alpha);
      inference += performance.now() - start;
      return output;
    };
    await enhance(timed, image, model, options, {
      onBlock: (block) => tell("block", { block }, [block.data.buffer]),
      onProgress: (done, total) => tell("progress", { done, total }),
      pause: async () => {
        await otherMessages();
        if (aborted.has(id)) throw new DOMException("the run was aborted", "AbortError");
      },
    });
    return { inferenceMs: inference };
  },
};

self.onmessage = ({ data: message }) => {
  if (message.task === "abort") aborted.add(message.id);
  else if (message.task === "noise") answer(message); // between two tiles of what runs, which it decides about
  else queue = queue.then(() => answer(message));
};

async function answer(message) {
  const tell = (kind, content, transfer = []) => self.postMessage({ id: message.id, kind, ...content }, transfer);
  try {
    if (aborted.has(message.id)) throw new DOMException("the run was aborted", "AbortError");
    const { transfer = [], ...result } = await tasks[message.task](message, tell);
    tell("done", { result }, transfer);
  } catch (error) {
    tell("error", toPlain(error));
  }
  aborted.delete(message.id);
}

/** ONNX Runtime computes without a break; here, messages that came meanwhile are read. */
function otherMessages() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}

/** An error as data. What WebAssembly throws may be a bare number, the address of a C++ exception. */
function toPlain(error) {
  if (typeof error === "number") return { name: "Error", message: "ONNX Runtime ran out of memory, or failed" };
  return { name: error?.name ?? "Error", message: error?.message ?? String(error) };
}
