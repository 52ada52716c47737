// The thread that computes. dni.js sends it {id, task, ...}; it answers {id, kind, ...}, any number of
// "progress" and "block", then one "done" or "error". Tasks run one after another.

import { enhance } from "./enhance.js";
import { openSession } from "./session.js";

let model;
let session;
let queue = Promise.resolve();
const aborted = new Set();

const tasks = {
  async open({ url, metadata, options }, tell) {
    model = metadata;
    session = await openSession(await download(url, tell), model, options);
    return { device: session.device, threads: session.threads, note: session.note };
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
  else queue = queue.then(() => answer(message));
};

async function answer(message) {
  const tell = (kind, content, transfer = []) => self.postMessage({ id: message.id, kind, ...content }, transfer);
  try {
    if (aborted.has(message.id)) throw new DOMException("the run was aborted", "AbortError");
    const { transfer = [], ...result } = await tasks[message.task](message, tell);
    tell("done", { result }, transfer);
  } catch (error) {
    tell("error", { name: error.name ?? "Error", message: error.message ?? String(error) });
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

async function download(url, tell) {
  const response = await fetch(url).catch((error) => {
    throw new Error(`${url} cannot be loaded: ${error.message}`);
  });
  if (!response.ok) throw new Error(`${url} cannot be loaded: the server answered ${response.status}`);
  const total = Number(response.headers.get("Content-Length"));
  const parts = [];
  let done = 0;
  for await (const part of chunks(response.body)) {
    parts.push(part);
    done += part.length;
    tell("progress", { done, total: Math.max(total, done) });
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Not every browser can iterate over a stream. */
async function* chunks(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
