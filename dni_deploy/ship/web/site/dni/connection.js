// Questions to a worker of one's own, and its answers; the messages are described in worker.js.

export class Connection {
  #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  #open = new Map();
  #count = 0;
  #closed = null;

  constructor() {
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.close(new Error(`the worker failed: ${event.message ?? "its code cannot be loaded"}`));
    };
  }

  ask(message, handlers = {}, signal = undefined, transfer = []) {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = ++this.#count;
    const abort = () => this.#worker.postMessage({ id, task: "abort" });
    signal?.addEventListener("abort", abort);
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject, handlers, isAborted: () => signal?.aborted });
      this.#worker.postMessage({ ...message, id }, transfer);
    }).finally(() => {
      signal?.removeEventListener("abort", abort);
      this.#open.delete(id);
    });
  }

  close(reason = new DOMException("the model was closed", "AbortError")) {
    this.#closed ??= reason;
    this.#worker.terminate();
    for (const { reject } of this.#open.values()) reject(reason);
  }

  #hear({ id, kind, ...content }) {
    const question = this.#open.get(id);
    if (!question) return;
    if (kind === "done") question.resolve(content.result);
    else if (kind === "error") question.reject(toError(content));
    else if (!question.isAborted()) question.handlers[kind]?.(content);
  }
}

function toError({ name, message }) {
  if (name === "AbortError") return new DOMException(message, name);
  return name === "RangeError" ? new RangeError(message) : new Error(message);
}
