/**
 * A real network in namespaces: an FRR router, nodes with BIRD and flock, an outside client, a Kubernetes API server.
 */
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import type { CommandRunner } from "../../src/exec/command_runner.ts";
import type { Family } from "../../src/ip/address.ts";
import { cleanStaleLabs, keepLab, markerOf, registerLab, removeLab } from "./census.ts";
import { moveDisk } from "./disk.ts";
import { createLabNode, type LabNode, NODE_TMPFS } from "./node.ts";
import { type LabApi, startLabApi } from "./lab_api.ts";
import { lazyPauseImage } from "./pause_image.ts";
import { createPlace, type Place, type PlaceOptions } from "./place.ts";
import { type Router, ROUTER_SYSCTLS, startRouter } from "./router.ts";
import { MAX_NODES, type NodeSpec, nodeSpec } from "./topology.ts";
import { replug, wire } from "./wiring.ts";

const BUILT_FLOCK = new URL("../../dist/flock", import.meta.url).pathname;

export interface LabOptions {
  /** How many, or the families of each. At most 4. Default 2, dual-stack. */
  readonly nodes?: number | readonly (readonly Family[])[];
  /** Bytes, of every link. Default 9000. */
  readonly mtu?: number;
  /** Which API server. Default: the real one where KUBEBUILDER_ASSETS names it, else the embedded one. */
  readonly api?: LabApi["kind"] | "none";
  /** Nodes as they are before flock comes: without a directory or a mount of its own. */
  readonly bare?: boolean;
  /** The executable that nodes run. Default: FLOCK_BIN, else what `deno task build` made; never the source tree. */
  readonly flock?: string;
}

export interface Lab extends AsyncDisposable {
  readonly id: string;
  /**
   * On the machine; removed with the lab. Holds `logs/`, `kubeconfig`, and `in`, a script that enters a place: `in
   * node-a ip address`.
   */
  readonly dir: string;
  readonly router: Router;
  readonly client: Place;
  readonly controlPlane: Place;
  readonly nodes: readonly LabNode[];
  readonly runner: CommandRunner;
  /** @throws when the lab was built with `api: "none"` */
  readonly api: LabApi;
  /** @throws when there is no node of that name */
  node(name: string): LabNode;
  /**
   * A node loses its power and gets it back: what the kernel had is gone, and every process; what these directories hold is there again. Nothing runs when it
   * resolves, and what was known of the node is to be forgotten.
   *
   * @returns the node as it is from now on, in `nodes` too
   */
  reboot(name: string, disk: readonly string[]): Promise<LabNode>;
  /** Leaves the lab running after its owner's end; disposing does nothing from then on. */
  keep(): Promise<void>;
}

/**
 * Builds a lab; labs whose owner died are removed first. Everything runs when it resolves, but BIRD, containerd and
 * agent on the nodes: those are started one by one. Needs root and the packages of `ensurePackages`.
 */
export async function createLab(options: LabOptions = {}): Promise<Lab> {
  if (Deno.uid() !== 0) throw new Error("Cannot build a lab: namespaces, mounts and containers need root");
  await cleanStaleLabs();
  const { id, dir } = await registerLab();
  try {
    return await buildLab({ id, dir }, options);
  } catch (error) {
    await removeLab(id);
    throw error;
  }
}

async function buildLab({ id, dir }: { id: string; dir: string }, options: LabOptions): Promise<Lab> {
  const { mtu = 9000, api: apiKind = Deno.env.has("KUBEBUILDER_ASSETS") ? "real" : "embedded" } = options;
  const flock = options.flock ?? Deno.env.get("FLOCK_BIN") ?? BUILT_FLOCK;
  const pauseImage = lazyPauseImage(`${dir}/pause.tar`);
  const env = inherited(["HOME", "DENO_DIR", "KUBEBUILDER_ASSETS"]);
  const runner = createSystemRunner({ maxProcesses: 64 });
  const specs = nodeFamilies(options).map((families, index) => nodeSpec(index, families));
  const make = (name: string, more: Partial<PlaceOptions> = {}): Promise<Place> =>
    createPlace({ name, labDir: dir, marker: markerOf(id, name), runner, env, ...more });
  const tmpfs = options.bare === true ? NODE_TMPFS.filter((path) => !path.endsWith("/flock")) : NODE_TMPFS;
  const nodeOn = (place: Place, spec: NodeSpec): LabNode =>
    createLabNode(place, { spec, labId: id, dir, flock, pauseImage });
  const [routerPlace, controlPlane, client, ...nodePlaces] = await Promise.all(
    await settled([
      make("router", { sysctls: ROUTER_SYSCTLS }),
      make("control-plane"),
      make("client"),
      ...specs.map(({ name }) => make(name, { tmpfs })),
    ]),
  );
  const nodes = specs.flatMap((spec, index) => {
    const place = nodePlaces[index];
    return place === undefined ? [] : [nodeOn(place, spec)];
  });
  const [router, api] = await Promise.all(
    await settled([
      startRouter(routerPlace),
      apiKind === "none" ? undefined : startLabApi(controlPlane, { kind: apiKind, dir }),
      wire(runner, { router: routerPlace, controlPlane, client, nodes, mtu }),
      ...options.bare === true ? [] : nodes.map((node) => node.prepare()),
    ]),
  );
  if (api !== undefined) {
    await Deno.writeTextFile(`${dir}/kubeconfig`, api.kubeconfig(), { mode: 0o600 });
    await Promise.all(nodes.map((node) => node.join(api)));
  }
  await writeDoor(`${dir}/in`, [router, controlPlane, client, ...nodes]);
  const reboot = async (name: string, disk: readonly string[]): Promise<LabNode> => {
    const index = nodes.findIndex((node) => node.name === name);
    const old = nodes[index];
    if (old === undefined) throw new Error(`Cannot reboot ${name}: there is no such node`);
    const place = await make(name, { tmpfs });
    await moveDisk(runner, { from: old, to: place, disk });
    await replug(runner, { router, place, spec: old.spec, mtu });
    return nodes[index] = nodeOn(place, old.spec);
  };
  return labOf({ id, dir, runner, router, controlPlane, client, nodes, reboot }, api);
}

function labOf(
  parts: Omit<Lab, "api" | "node" | "keep" | typeof Symbol.asyncDispose>,
  api: (LabApi & Disposable) | undefined,
): Lab {
  const { id, nodes, router, controlPlane, client } = parts;
  let kept = false;
  return {
    ...parts,
    get api(): LabApi {
      if (api === undefined) throw new Error("Cannot reach an API server: the lab was built without one");
      return api;
    },
    node: (name) => {
      const node = nodes.find((node) => node.name === name);
      if (node === undefined) {
        throw new Error(`Cannot find node ${name}: the lab has ${nodes.map((n) => n.name).join()}`);
      }
      return node;
    },
    keep: async () => {
      await keepLab(id);
      kept = true;
    },
    [Symbol.asyncDispose]: async () => {
      api?.[Symbol.dispose]();
      if (kept) return;
      await Promise.all([...nodes, client, controlPlane, router].map((place) => place[Symbol.asyncDispose]()));
      await removeLab(id);
    },
  };
}

/** Waits for all, whatever becomes of them: when one fails, what comes up late must still be seen by who cleans. */
async function settled<const P extends readonly unknown[]>(promises: P): Promise<P> {
  await Promise.allSettled(promises);
  return promises;
}

/** For people: `DIR/in node-a birdc show status`. */
async function writeDoor(path: string, places: readonly Place[]): Promise<void> {
  const cases = places.map((place) => `${place.name}) shift; exec ${place.entrance().join(" ")} "$@" ;;`);
  const names = places.map(({ name }) => name).join("|");
  const script = [
    "#!/bin/sh",
    'export PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"',
    'case "$1" in',
    ...cases,
    `*) echo "usage: $0 ${names} COMMAND..." >&2; exit 2 ;;`,
    "esac",
    "",
  ];
  await Deno.writeTextFile(path, script.join("\n"), { mode: 0o755 });
}

function inherited(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

function nodeFamilies({ nodes = 2 }: LabOptions): readonly (readonly Family[])[] {
  const families = typeof nodes === "number" ? Array.from({ length: nodes }, (): Family[] => [4, 6]) : nodes;
  if (families.length > MAX_NODES) {
    throw new Error(`Cannot build a lab of ${families.length} nodes: at most ${MAX_NODES}`);
  }
  return families;
}
