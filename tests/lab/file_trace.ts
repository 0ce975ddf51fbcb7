/** What a program asks of the kernel about files, by strace(1). */

/** Words to put before a command; the file that the calls go to comes next. Threads and children count. */
export const TRACE_FILES: readonly [string, ...string[]] = [
  ...["/usr/bin/strace", "-f", "-qq"] as const,
  "--trace=open,openat,openat2,creat,connect,execve,execveat,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,bind",
  "-o",
];

/** @returns the calls of a trace, one each */
export function callsIn(trace: string): string[] {
  return trace.split("\n").map((line) => line.replace(/^\d+\s+/, "")).filter(Boolean);
}

/** @returns those about anything under /tmp or /var/tmp. @param ours where the executable's own files lie, which may be there */
export function underTmp(calls: readonly string[], ours: string): string[] {
  return calls.filter((call) => !call.includes(ours) && /"\/(var\/)?tmp(\/|")/.test(call));
}
