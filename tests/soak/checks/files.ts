/** Files of flock's: those that belong there, no others. A name is all that a leftover has. */
import type { LabNode } from "../../lab/node.ts";
import { compare } from "./compare.ts";

/** What may be where; absent files are other checks' to miss. */
const MAY_BE: Readonly<Record<string, readonly string[]>> = {
  "/run/flock": ["agent.lock", "agent.sock", "bird.ctl", "bird.pid", "boot_id", "deleted", "session_seen", "sys"],
  "/run/flock/deleted": [],
  "/etc/flock": ["bird", "kubeconfig"],
  "/etc/flock/bird": ["bird.conf"],
  "/var/lib/flock": [
    "allocations.json",
    "allocations.json.prev",
    "nodeconfig.json",
    "policies.json",
    "policy_names.json",
    "prefixes.json",
  ],
  "/etc/cni/net.d": ["01-flock.conflist", "99-operator.txt"],
};
/** Without these a node does not serve. */
const MUST_BE = [
  "/run/flock/agent.sock",
  "/etc/flock/bird/bird.conf",
  "/var/lib/flock/allocations.json",
  "/var/lib/flock/nodeconfig.json",
  "/var/lib/flock/policies.json",
  "/var/lib/flock/prefixes.json",
  "/etc/cni/net.d/01-flock.conflist",
];

/** @returns absolute paths */
export async function readFiles(node: LabNode): Promise<readonly string[]> {
  const script = 'for d in "$@"; do ls -A "$d" 2>/dev/null | sed "s|^|$d/|"; done';
  return (await node.output(["sh", "-c", script, "sh", ...Object.keys(MAY_BE)])).split("\n").filter((path) =>
    path !== ""
  );
}

export function judgeFiles(files: readonly string[]): string[] {
  const may = Object.entries(MAY_BE).flatMap(([directory, names]) => names.map((name) => `${directory}/${name}`));
  return compare("files", files, MUST_BE, new Set(may));
}
