/** What each mode may still do after its first act, asked of Deno itself with the flags of the executable. */
import { assert, assertEquals } from "@std/assert";
import { renderPermissionFlags } from "../../deploy/permission_flags.ts";
import { runProgram } from "../../deploy/run_deno.ts";
import { GRANTED, type Mode } from "../../src/permissions/permission_sets.ts";

const PROBE = new URL("_mode_probe.ts", import.meta.url).pathname;

const read = (path: string): Deno.PermissionDescriptor => ({ name: "read", path });
const write = (path: string): Deno.PermissionDescriptor => ({ name: "write", path });
const run = (command: string): Deno.PermissionDescriptor => ({ name: "run", command });

/** What one mode or another needs, and things that none does. */
const EVERYTHING = [
  ...["/opt/cni/bin/flock", "/opt/cni/bin/.flock.new", "/etc/cni/net.d/01-flock.conflist", "/run/flock/agent.sock"].map(
    write,
  ),
  ...["/etc/flock/bird/bird.conf", "/etc/flock/kubeconfig", "/var/lib/flock/allocations.json", "/usr/local/bin/flock"]
    .map(write),
  ...["/usr/local/bin/flock", "/opt/cni/bin/flock", "/etc/flock/kubeconfig", "/run/netns/x", "/etc/passwd"].map(read),
  ...["/usr/sbin/ip", "/usr/sbin/nft", "/usr/sbin/bird", "/usr/sbin/birdc"].map(run),
  ...["/usr/local/bin/flock", "/opt/cni/bin/flock", "/bin/sh"].map(run),
  { name: "net" },
  { name: "env", variable: "NODE_NAME" },
] as const;

const ALLOWED: Readonly<Record<Exclude<Mode, "plugin">, readonly Deno.PermissionDescriptor[]>> = {
  install: [
    ...["/opt/cni/bin/flock", "/opt/cni/bin/.flock.new"].map(write),
    ...["/usr/local/bin/flock", "/opt/cni/bin/flock"].map(read),
    run("/usr/local/bin/flock"),
  ],
  uninstall: [
    ...["/opt/cni/bin/flock", "/opt/cni/bin/.flock.new", "/etc/cni/net.d/01-flock.conflist", "/run/flock/agent.sock"]
      .map(write),
    ...["/etc/flock/bird/bird.conf", "/etc/flock/kubeconfig", "/var/lib/flock/allocations.json"].map(write),
    ...["/opt/cni/bin/flock", "/etc/flock/kubeconfig"].map(read),
    ...["/usr/sbin/ip", "/usr/sbin/nft"].map(run),
  ],
  inspect: [
    write("/run/flock/agent.sock"),
    ...["/usr/sbin/ip", "/usr/sbin/nft", "/usr/sbin/birdc"].map(run),
    { name: "net" },
  ],
  agent: [
    ...["/etc/cni/net.d/01-flock.conflist", "/run/flock/agent.sock", "/etc/flock/bird/bird.conf"].map(write),
    write("/var/lib/flock/allocations.json"),
    ...["/etc/flock/kubeconfig", "/run/netns/x"].map(read),
    ...["/usr/sbin/ip", "/usr/sbin/nft", "/usr/sbin/bird"].map(run),
    { name: "net" },
    { name: "env", variable: "NODE_NAME" },
  ],
};

for (const [mode, allowed] of Object.entries(ALLOWED)) {
  Deno.test(`flock ${mode} keeps what its set names, and nothing of the other modes'`, async () => {
    const flags = [...renderPermissionFlags(GRANTED, Deno.version.deno), "--no-prompt", "--no-check", "--quiet"];
    const args = ["run", ...flags, PROBE, mode, JSON.stringify(EVERYTHING)];
    const { ok, output } = await runProgram(Deno.execPath(), { args });
    assert(ok, output);
    assertEquals(JSON.parse(output), allowed);
  });
}
