/** An agent that dies at a chosen step: from then on nothing that it does has any effect, and nothing that it waits for comes. */
import { MemoryKernel } from "../../tests/fakes/memory_kernel.ts";
import type { Attachment } from "../link/attachment_driver.ts";
import type { StateFiles } from "../store/state_files.ts";

/** Counts effects on disk and kernel, and ends at one of them. */
export class Life {
  steps = 0;
  readonly #ended = Promise.withResolvers<void>();

  /** @param end the step at which it ends, from 0, and whether that step still has its effect; absent: it does not end by itself */
  constructor(private readonly end?: { readonly step: number; readonly done: boolean }) {}

  /** Resolves when it has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** An effect; never settles in an agent that has died, nor when it dies meanwhile. */
  async step<T>(effect: () => Promise<T>): Promise<T> {
    const step = this.steps++;
    const left = this.end === undefined ? 1 : this.end.step - step;
    if (left > 0 || (left === 0 && this.end?.done)) {
      const result = await effect();
      if (left > 0 && !this.#over()) return result;
    }
    if (left <= 0) this.#ended.resolve();
    return await new Promise(() => {});
  }

  #over(): boolean {
    return this.end !== undefined && this.end.step < this.steps;
  }
}

/** Whose life it is at the moment; disk and kernel outlive it. */
export interface Host {
  life: Life;
}

/** A disk whose writes are steps of the present life. */
export function mortalFiles(files: StateFiles, host: Host): StateFiles {
  return {
    inspect: (path) => files.inspect(path),
    makeDirectory: (path) => files.makeDirectory(path),
    list: (directory) => files.list(directory),
    read: (path) => files.read(path),
    create: (path, content) => host.life.step(() => files.create(path, content)),
    link: (path, second) => host.life.step(() => files.link(path, second)),
    rename: (from, to) => host.life.step(() => files.rename(from, to)),
    syncDirectory: (path) => host.life.step(() => files.syncDirectory(path)),
    remove: (path) => host.life.step(() => files.remove(path)),
  };
}

/** A kernel whose changes are steps of the present life. */
export class MortalKernel extends MemoryKernel {
  constructor(private readonly host: Host) {
    super();
  }

  override attach(attachment: Attachment): Promise<void> {
    return this.host.life.step(() => super.attach(attachment));
  }

  override detach(hostLinks: readonly string[]): Promise<void> {
    return this.host.life.step(() => super.detach(hostLinks));
  }
}
