// ONNX Runtime in this worker: which build of it, where it runs, one call.

const FOLDER = new URL("./ort/", import.meta.url);
const THREADS_LIMIT = 8;

/**
 * Open a model: {run, device, threads, note}.
 *
 * `run(data, dims, alpha)`: float32 (N, C, H, W) -> {data, dims}. `device`: "webgpu", "wasm", or "auto" for WebGPU
 * where a real one is there; `note` says why "auto" did not take it. `threads`: of wasm, null for one a core; always 1
 * where the page is not cross-origin isolated.
 */
export async function openSession(bytes, model, { device, threads }) {
  let note = "";
  if (device !== "wasm") {
    const problem = await whyNoWebGpu(device === "auto");
    if (problem === null) {
      try {
        return { ...(await open("webgpu", bytes, model, threads)), note };
      } catch (error) {
        if (device === "webgpu") throw new Error(`WebGPU cannot run this model: ${error.message}`);
        note = `WebGPU cannot run this model (${error.message})`;
      }
    } else if (device === "webgpu") {
      throw new Error(`WebGPU cannot be used: ${problem}; choose WebAssembly`);
    } else {
      note = `no WebGPU: ${problem}`;
    }
  }
  return { ...(await open("wasm", bytes, model, threads)), note };
}

async function open(device, bytes, model, threads) {
  const ort = await import(new URL(`ort.${device}.min.mjs`, FOLDER).href);
  ort.env.wasm.wasmPaths = FOLDER.href;
  ort.env.wasm.numThreads = self.crossOriginIsolated
    ? (threads ?? Math.min(navigator.hardwareConcurrency, THREADS_LIMIT))
    : 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [device], logSeverityLevel: 3 });
  checkSignature(session, model);
  return {
    device,
    threads: ort.env.wasm.numThreads,
    run: (data, dims, alpha) => run(ort, session, model, data, dims, alpha),
  };
}

/** Throw Error unless the network takes and gives what `model` says: what does not fit would be read as pixels. */
function checkSignature(session, model) {
  const wanted = [model.input.name, ...(model.alpha ? [model.alpha.name] : [])];
  const output = session.outputMetadata.filter(({ name }) => name === model.output.name);
  const isFloat = ({ isTensor, type }) => isTensor && type === "float32";
  const isSame = session.inputNames.length === wanted.length && wanted.every((name) => session.inputNames.includes(name));
  if (isSame && output.length === 1 && [...session.inputMetadata, ...output].every(isFloat)) return;
  const list = (values) => values.map(({ name, isTensor, type }) => `${name} (${isTensor ? type : "no tensor"})`).join(", ");
  throw new Error(
    `the network takes ${list(session.inputMetadata)} and gives ${list(session.outputMetadata)}; its description says ` +
      `that it takes ${wanted.join(", ")} and gives ${model.output.name}, all of float32`,
  );
}

async function run(ort, session, model, data, dims, alpha) {
  const feeds = { [model.input.name]: new ort.Tensor("float32", data, dims) };
  if (model.alpha) feeds[model.alpha.name] = new ort.Tensor("float32", Float32Array.from(alpha), model.alpha.shape);
  const output = (await session.run(feeds, [model.output.name]))[model.output.name];
  if (!(output?.data instanceof Float32Array) || output.dims.length !== 4) {
    throw new Error(`the network made ${model.output.name} of sizes ${output?.dims}; expected N x C x H x W floats`);
  }
  return { data: output.data, dims: [...output.dims] };
}

/** Null where WebGPU can be used. A fallback adapter computes on the CPU, slower than wasm does. */
async function whyNoWebGpu(real) {
  if (!navigator.gpu) return "this browser has none, or the page was not loaded over HTTPS";
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter) return "there is no graphics processor that it can use";
  if (real && (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter)) return "it would run on the processor";
  return null;
}
