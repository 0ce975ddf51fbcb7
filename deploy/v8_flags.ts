/**
 * V8 sizes its heap by the machine's memory, not by the container's, and lets garbage lie for as long as there is room: after a thousand pods an
 * agent held 200 MiB of which it needed 100, and a limit of 200 MiB killed it. So the heap may grow by a fifth between two
 * collections. Only the command line is heeded; flags set by a running program come too late.
 */
export const V8_FLAGS = "--v8-flags=--heap-growing-percent=20,--max-semi-space-size=2";
