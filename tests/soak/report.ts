/** What a soak leaves behind: a file with a line of JSON for its start, each discrepancy and its end, and a verdict in one line. */

/** One thing that was wrong, and still was when its time was over. */
export interface Discrepancy {
  /** A node, or `router`, `pods`, ... */
  readonly where: string;
  readonly what: readonly string[];
  /** Whatever helps to understand it. */
  readonly evidence: unknown;
}

export interface Counts {
  pods: number;
  kills: number;
  faults: number;
  checks: number;
  /** Network namespaces that a killed containerd left behind, see `orphans.ts`. */
  orphans: number;
}

export class Report {
  readonly counts: Counts = { pods: 0, kills: 0, faults: 0, checks: 0, orphans: 0 };
  /** What happens now; each discrepancy carries it. */
  context: unknown = "start";
  readonly #startedAt = performance.now();
  #discrepancies = 0;
  readonly #said = new Set<string>();

  constructor(private readonly run: { readonly file: string; readonly seed: number; readonly minutes: number }) {
    const { seed, minutes } = run;
    Deno.writeTextFileSync(run.file, "");
    this.#write({ event: "start", seed, minutes });
  }

  get clean(): boolean {
    return this.#discrepancies === 0;
  }

  /** @returns the lines that were not reported yet: what leaked is there in every later check, but is one discrepancy */
  fresh({ where, what }: Pick<Discrepancy, "where" | "what">): readonly string[] {
    return what.filter((line) => !this.#said.has(`${where}: ${line}`));
  }

  /** Whatever else was said of a place has become right: when it comes again, it is news. */
  forgetAllBut({ where, what }: Pick<Discrepancy, "where" | "what">): void {
    const kept = new Set(what.map((line) => `${where}: ${line}`));
    for (const said of this.#said) if (said.startsWith(`${where}: `) && !kept.has(said)) this.#said.delete(said);
  }

  /** Writes what of it is new. @returns how many lines that was */
  add({ where, what, evidence }: Discrepancy): number {
    const fresh = this.fresh({ where, what });
    if (fresh.length === 0) return 0;
    for (const line of fresh) this.#said.add(`${where}: ${line}`);
    this.#discrepancies += fresh.length;
    this.#write({ event: "discrepancy", where, what: fresh, during: this.context, evidence });
    return fresh.length;
  }

  /** Writes what is no discrepancy but worth knowing. */
  note(event: string, fields: Readonly<Record<string, unknown>>): void {
    this.#write({ event, ...fields, during: this.context });
  }

  /** @returns the verdict, which is also the file's last line; its minutes are those that the run took, not those asked for */
  end(): string {
    const { seed } = this.run;
    const minutes = Math.floor((performance.now() - this.#startedAt) / 60_000);
    const { pods, kills, faults, checks, orphans } = this.counts;
    const verdict =
      `soak: ${minutes} min, seed ${seed}, ${pods} pods, ${faults} faults (${kills} kills), ${checks} checks, ` +
      `${orphans} namespaces left by killed containerds, ${this.#discrepancies} discrepancies`;
    this.#write({ event: "end", ...this.counts, discrepancies: this.#discrepancies, verdict });
    return verdict;
  }

  #write(line: Readonly<Record<string, unknown>>): void {
    Deno.writeTextFileSync(this.run.file, `${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`, {
      append: true,
    });
  }
}
