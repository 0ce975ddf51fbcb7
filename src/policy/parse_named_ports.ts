import { fieldsOf, isText, itemsOf } from "../json/fields.ts";
import { Interner } from "./_interner.ts";
import type { Protocol } from "./network_policy.ts";
import type { NamedPort } from "./policy_world.ts";

const PROTOCOLS_OF_API: ReadonlyMap<unknown, Protocol> = new Map([
  [undefined, "tcp"],
  [null, "tcp"],
  ["TCP", "tcp"],
  ["UDP", "udp"],
  ["SCTP", "sctp"],
]);

const interner = new Interner<readonly NamedPort[]>();

/**
 * Reads the ports with names of all containers that run along with the pod: its containers, and of the initContainers
 * those with `restartPolicy: Always`. Each name, protocol and number once; what cannot be read is left out.
 *
 * @param spec a pod's
 * @returns equal lists are one object
 */
export function parseNamedPorts(spec: unknown): readonly NamedPort[] {
  const { containers, initContainers } = fieldsOf(spec);
  const sidecars = itemsOf(initContainers).filter((each) => fieldsOf(each)["restartPolicy"] === "Always");
  const found = new Map<string, NamedPort>();
  for (const container of [...itemsOf(containers), ...sidecars]) {
    for (const raw of itemsOf(fieldsOf(container)["ports"])) {
      const port = parsePort(raw);
      if (port !== undefined) found.set(JSON.stringify([port.name, port.protocol, port.port]), port);
    }
  }
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  return interner.share(sorted.map(([text]) => text).join(), () => sorted.map(([, port]) => port));
}

function parsePort(raw: unknown): NamedPort | undefined {
  const { name, protocol: named, containerPort: port } = fieldsOf(raw);
  const protocol = PROTOCOLS_OF_API.get(named);
  if (!isText(name) || protocol === undefined || typeof port !== "number") return undefined;
  return Number.isInteger(port) && port >= 1 && port <= 65535 ? { name, protocol, port } : undefined;
}
