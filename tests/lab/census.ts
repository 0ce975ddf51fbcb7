/**
 * Which labs there are on this machine, and the end of those whose owner died. A lab is a directory below /run/flock-lab, made before
 * anything else of it. Its name tells its owner (pid, start time, since pids are used again, and PID namespace), and all that a lab
 * makes outside that directory carries this name: the init processes of its places in their command lines, and one cgroup.
 */
import { exists } from "./until.ts";

const LABS_DIR = "/run/flock-lab";
const CGROUP_ROOT = "/sys/fs/cgroup";
/** A lab with this file in it was left running on purpose. */
const KEPT = "kept";
/** What the first word of an init's command line is while it comes up and ever after. */
const HOLDER_STAGES = /^(.*\/)?(setsid|unshare|bash|flock-lab-.*)$/;

const MARKER = /^flock-lab-(\d+-\d+-\d+-[0-9a-z]+)-[a-z-]+$/;
/** As `cgroupOf` names it. */
const CGROUP = /^\/flock-lab-(\d+-\d+-\d+-[0-9a-z]+)$/;

/** @returns the new lab's directory, which is also its id's home; its last part is the id */
export async function registerLab(): Promise<{ id: string; dir: string }> {
  const unique = crypto.getRandomValues(new Uint32Array(1))[0];
  const id = `${Deno.pid}-${await startTimeOf(Deno.pid)}-${pidNamespace()}-${unique?.toString(36)}`;
  const dir = `${LABS_DIR}/${id}`;
  await Deno.mkdir(`${dir}/logs`, { recursive: true });
  return { id, dir };
}

/** Takes the lab out of its owner's life: it stays until somebody removes it by `removeLab`. */
export async function keepLab(id: string): Promise<void> {
  await Deno.writeTextFile(`${LABS_DIR}/${id}/${KEPT}`, "");
}

/** @returns what the command line of the place's init process holds as one argument of its own */
export function markerOf(id: string, place: string): string {
  return `flock-lab-${id}-${place}`;
}

/** @returns the cgroup below which the lab's containers belong, from the root of each hierarchy */
export function cgroupOf(id: string): string {
  return `/flock-lab-${id}`;
}

/** Removes every lab whose owner is gone and that was not left running on purpose. @returns their ids */
export async function cleanStaleLabs(): Promise<string[]> {
  const stale: string[] = [];
  for (const id of await listLabs()) {
    if (await ownerLives(id) || await exists(`${LABS_DIR}/${id}/${KEPT}`)) continue;
    await removeLab(id);
    stale.push(id);
  }
  return stale;
}

/** @returns the ids of the labs that were left running on purpose */
export async function listKeptLabs(): Promise<string[]> {
  const labs = await Promise.all(
    (await listLabs()).map(async (id) => await exists(`${LABS_DIR}/${id}/${KEPT}`) ? [id] : []),
  );
  return labs.flat();
}

/** Ends all that is left of a lab: its places by their init processes, its cgroups, its directory. Idempotent. */
export async function removeLab(id: string): Promise<void> {
  for (const init of await listInits()) {
    if (init.id === id) await endProcess(init.pid);
  }
  await removeCgroups(cgroupOf(id));
  await Deno.remove(`${LABS_DIR}/${id}`, { recursive: true }).catch(ifMissing);
  await Deno.remove(LABS_DIR).catch(() => {}); // Other labs may be there.
}

/** By their directories, and by processes and cgroups whose directory somebody removed, a private /run that went for instance. */
async function listLabs(): Promise<string[]> {
  const names = await exists(LABS_DIR) ? (await Array.fromAsync(Deno.readDir(LABS_DIR))).map(({ name }) => name) : [];
  return [...new Set([...names, ...(await listInits()).map(({ id }) => id), ...await listCgroups()])];
}

/** @returns the labs whose cgroups there are in any hierarchy */
async function listCgroups(): Promise<string[]> {
  const entries = await Promise.all((await hierarchies()).map((path) => Array.fromAsync(Deno.readDir(path))));
  return entries.flat().flatMap(({ name }) => CGROUP.exec(`/${name}`)?.[1] ?? []);
}

/** In doubt it lives: the pids of another namespace, of a container beside us say, mean nothing here. */
async function ownerLives(id: string): Promise<boolean> {
  const [pid, startTime, namespace] = id.split("-");
  return namespace !== pidNamespace() || await startTimeOf(Number(pid)) === startTime;
}

/** @returns the inode of our PID namespace */
function pidNamespace(): string {
  return /\d+/.exec(Deno.readLinkSync("/proc/self/ns/pid"))?.[0] ?? "";
}

/** @returns when the process started, in clock ticks since boot (proc(5), field 22 of stat); undefined: there is none */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" ? undefined : rest[18];
}

/** Found by the marker, which nobody else's process has: a pid written down earlier could be a stranger's by now. */
async function listInits(): Promise<{ pid: number; id: string }[]> {
  const inits: { pid: number; id: string }[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "")).split("\0");
    if (!HOLDER_STAGES.test(words[0] ?? "")) continue;
    const id = words.map((word) => MARKER.exec(word)?.[1]).find((id) => id !== undefined);
    if (id !== undefined) inits.push({ pid: Number(name), id });
  }
  return inits;
}

async function endProcess(pid: number): Promise<void> {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    ifMissing(error);
  }
  for (let attempt = 0; attempt < 500 && await startTimeOf(pid) !== undefined; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Removes a cgroup with all below it, whose processes have ended, in every hierarchy. */
export async function removeCgroups(path: string): Promise<void> {
  for (const hierarchy of await hierarchies()) await removeCgroup(`${hierarchy}${path}`);
}

/** Version 2 has one, version 1 one below each directory of the root. */
async function hierarchies(): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(CGROUP_ROOT));
  return [CGROUP_ROOT, ...entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => `${CGROUP_ROOT}/${name}`)];
}

/** Files of a cgroup go with its directory; a directory is busy until the kernel has let its last process go. */
async function removeCgroup(path: string): Promise<void> {
  for (const entry of await Array.fromAsync(Deno.readDir(path)).catch(ifMissing) ?? []) {
    if (entry.isDirectory) await removeCgroup(`${path}/${entry.name}`);
  }
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return await Deno.remove(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (attempt === 99) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function ifMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
