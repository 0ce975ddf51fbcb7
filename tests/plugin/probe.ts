/**
 * Does what the plugin does at its start, keeps what its first argument says (or everything: "all"), and then tries what a
 * taken-over plugin would. Prints attempt -> "refused" when a permission stopped it, else "allowed".
 */
import type { Kept } from "../../src/cni/plugin_process.ts";
import { systemProcess } from "../../src/cni/system_process.ts";

const KEPT: Readonly<Record<string, Kept>> = { nothing: "nothing", tombstones: "tombstones", socket: "agent socket" };

const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  "spawn ip": () => new Deno.Command("/usr/sbin/ip", { args: ["-V"] }).outputSync(),
  "spawn sh": () => new Deno.Command("/bin/sh", { args: ["-c", "true"] }).outputSync(),
  "read state": () => Deno.readTextFileSync("/var/lib/flock/allocations.json"),
  "read agent's directory": () => Deno.readTextFileSync("/run/flock/file"),
  "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
  "write agent's directory": () => Deno.writeTextFileSync("/run/flock/file", "x"),
  "write tombstone": () => Deno.writeTextFileSync("/run/flock/deleted/file", "x"),
  "write conflist": () => Deno.writeTextFileSync("/etc/cni/net.d/probe-in-no-directory/x", "x"),
  "connect agent": () => Deno.connect({ transport: "unix", path: "/run/flock/agent.sock" }),
  "connect other socket": () => Deno.connect({ transport: "unix", path: "/run/flock/bird.ctl" }),
  "connect TCP": () => Deno.connect({ hostname: "127.0.0.1", port: 1023 }),
  "listen": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  "fetch": () => fetch("http://127.0.0.1:1023/"),
  "environment": () => Deno.env.get("CNI_ARGS"),
  "load library": () => Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", {}),
  "import": () => import(`file://${"/etc/passwd"}`),
};

async function probe(mode: string): Promise<void> {
  await systemProcess.connect();
  const keep = KEPT[mode];
  if (keep !== undefined) systemProcess.giveUp(keep);
  const outcomes: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(ATTEMPTS)) outcomes[name] = await outcomeOf(attempt);
  systemProcess.print(JSON.stringify(outcomes));
}

async function outcomeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return "allowed";
  } catch (error) {
    return /NotCapable|Requires .* access|requires .* permissions/i.test(String(error)) ? "refused" : "allowed";
  }
}

probe(Deno.args[0] ?? "all").then(() => Deno.exit(0));
