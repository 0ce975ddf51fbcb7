/** Takes everything of flock's from a node that shall serve pods by flock no more. */
import { runEach } from "../fault/run_each.ts";
import { InTheWay, listBelow, removeDirectory, removeFile } from "./remove_files.ts";
import { type KernelTools, readPodLinks, removeFromKernel } from "./remove_from_kernel.ts";

export interface UninstallOptions {
  /** Also while there are pods, who lose their network. */
  readonly force: boolean;
  /** Leave the routes that BIRD learned: another BIRD may have taken them over. */
  readonly keepBgpRoutes: boolean;
}

/** Where everything is, and how to reach it. */
export interface Installation {
  readonly tools: KernelTools;
  /** Sockets of what must have ended, and what that is. */
  readonly daemons: readonly { readonly name: string; readonly socket: string }[];
  /** @returns whether anybody answers at a unix socket */
  answers(socket: string): Promise<boolean>;
  /** Called when nothing has to be asked any more. */
  giveUpNetwork(): void;
  readonly conflist: string;
  /** All of it is flock's. */
  readonly directories: readonly string[];
  /** What goes last: the executable, once nothing else is left that it could remove. */
  readonly executables: readonly string[];
}

/** Thrown before anything was removed. */
export class Refused extends Error {
  override readonly name = "Refused";
}

const MAX_NAMED = 5;

/**
 * Removes all that is flock's, in an order in which the runtime hears first that flock is gone. Goes on after what
 * fails; whatever is left, the executable is too, and can be called again. What is missing is no failure.
 *
 * @throws Refused; Error that names what is left
 */
export async function uninstall(installation: Installation, options: UninstallOptions): Promise<void> {
  const { tools, conflist, directories, executables } = installation;
  await requireEnded(installation);
  installation.giveUpNetwork();
  if (!options.force) await requireNoPods(installation);
  await requireNoMounts(installation);
  await runEach([
    () => removeWithTemporaries(conflist),
    () => removeFromKernel(tools, { bgpRoutes: !options.keepBgpRoutes }),
    ...directories.map((directory) => () => removeDirectory(directory).then(() => {})),
  ]);
  for (const executable of executables) await removeFile(executable);
}

/** An agent puts back what is removed, and BIRD its routes. */
async function requireEnded({ daemons, answers }: Installation): Promise<void> {
  for (const { name, socket } of daemons) {
    if (await answers(socket)) {
      throw new Refused(
        `${name} still runs (${socket} answers): take the label flock.fritzlab.net/agent from the node`,
      );
    }
  }
}

async function requireNoPods({ tools }: Installation): Promise<void> {
  const links = await readPodLinks(tools);
  if (links.length === 0) return;
  const named = links.slice(0, MAX_NAMED).map(({ name, containerId = "?" }) => `${name} of container ${containerId}`);
  const more = links.length - named.length;
  const list = [...named, ...(more > 0 ? [`${more} more`] : [])].join(", ");
  throw new Refused(`pods are there: ${list}; drain the node, or use --force, which cuts them off`);
}

async function requireNoMounts({ directories }: Installation): Promise<void> {
  for (const directory of directories) {
    try {
      const found = await Deno.lstat(directory);
      if (found.isDirectory) await listBelow(directory, found.dev);
    } catch (error) {
      if (error instanceof InTheWay) throw new Refused(error.message, { cause: error });
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** With what an agent left that was killed while it wrote. */
async function removeWithTemporaries(path: string): Promise<void> {
  const at = path.lastIndexOf("/");
  const [directory, name] = [path.slice(0, at), path.slice(at + 1)];
  await removeFile(path);
  for (const entry of await namesIn(directory)) {
    if (entry.startsWith(`.${name}.`)) await removeFile(`${directory}/${entry}`);
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
