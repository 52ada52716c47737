// Files read whole, but not of any size: who answers may be anybody.

/**
 * The bytes at `url`, at most `limitBytes`. `onProgress(done, total)`: bytes. `signal`: an AbortSignal. Throws Error with
 * a sentence.
 */
export async function download(url, { limitBytes, onProgress, signal }) {
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const total = Number(response.headers.get("Content-Length"));
    const parts = [];
    let done = 0;
    for await (const part of chunks(response.body)) {
      parts.push(part);
      done += part.length;
      if (Math.max(total, done) > limitBytes) throw new Error(`it has more than ${limitBytes / 1e6} MB`);
      onProgress?.(done, Math.max(total, done));
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  } catch (error) {
    throw signal?.aborted ? signal.reason : new Error(`${url} cannot be loaded: ${error.message}`);
  }
}

/** Not every browser can iterate over a stream. */
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {}); // whoever has enough wants no more
  }
}
