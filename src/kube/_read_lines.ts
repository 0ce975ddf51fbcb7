/** No object of etcd exceeds 3 MiB; what does is no Kubernetes API. */
const MAX_LINE = 16 * 1024 * 1024;

/**
 * Splits a body into lines, one batch per chunk received, also an empty one: every chunk is a sign of life. What follows the
 * last newline is dropped: a connection that broke in the middle of an object.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE) throw new Error(`a line of more than ${MAX_LINE} characters`);
    yield lines.filter((line) => line.trim() !== "");
  }
}
