/** Where log lines go: standard error, or what a test hands in. */
export interface LineSink {
  /** @returns how many bytes were taken. @throws when the reader is gone (EPIPE) or too slow (EAGAIN) */
  writeSync(bytes: Uint8Array): number;
}

/** @returns a function that writes each line whole where the sink takes it, and drops the rest of it where not; it never throws */
export function writeLinesTo(sink: LineSink): (line: string) => void {
  const encoder = new TextEncoder();
  return (line) => {
    try {
      let rest = encoder.encode(line);
      for (let taken = -1; rest.length > 0 && taken !== 0; rest = rest.subarray(taken)) taken = sink.writeSync(rest);
    } catch {
      // Nobody can be told, and an agent that serves pods does not end because its log's reader did.
    }
  };
}
