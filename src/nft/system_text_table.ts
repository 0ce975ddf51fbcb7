/** A table in the kernel, by way of nft. Ours after amnesia: everything in it, and nothing outside. */
import { type CommandResult, expectSuccess } from "../exec/command_runner.ts";
import { listObjects } from "./list_objects.ts";
import { NftSession, type NftSessionOptions } from "./nft_session.ts";
import { outlineList } from "./outline_list.ts";
import { outlineText } from "./outline_text.ts";
import { diffOutlines } from "./table_outline.ts";
import { type Counted, type TextTable, TransactionRefused } from "./text_table.ts";

/** A table whose transactions can be told from others'. */
export interface SignedTextTable extends TextTable {
  /**
   * Signs the persistent process once more, for a monitor that was not listening when it was started. Changes nothing.
   */
  sign(): Promise<void>;
}

export interface TextTableOptions extends NftSessionOptions {
  /** Its family and name: `inet flock-policy`. */
  readonly table: string;
}

/**
 * `nft -i` reads a line slowly, 5 ms for each thousand elements, where a one-shot takes 6 ms and 2 for each thousand:
 * from here on, in characters, the one-shot is the faster of the two.
 */
const LONG_LINE = 24_000;

/** @returns the table; nothing is started or written before its first call */
export function createTextTable({ table, ...session }: TextTableOptions): SignedTextTable {
  return new SystemTextTable(table, new NftSession(session));
}

class SystemTextTable implements SignedTextTable {
  constructor(private readonly table: string, private readonly session: NftSession) {}

  replace(text: string): Promise<void> {
    return this.session.inTurn(() => this.#runFile(text));
  }

  change(commands: readonly string[]): Promise<void> {
    const line = commands.join("; ");
    return this.session.inTurn(async () => {
      if (line.length > LONG_LINE) return await this.#runFile(`${commands.join("\n")}\n`);
      const complaint = await this.session.send(line);
      if (complaint !== "") throw new TransactionRefused(this.table, complaint);
    });
  }

  refusal(text: string): Promise<string | undefined> {
    return this.session.inTurn(async () => {
      const { result: { code, stderr } } = await this.session.run(["-c", "-f", "-"], text);
      return code === 0 ? undefined : stderr;
    });
  }

  drift(text: string): Promise<readonly string[] | undefined> {
    return this.session.inTurn(async () => {
      const list = await this.#list("table");
      if (list === undefined) return undefined;
      const outline = ifWhole(() => outlineList(list));
      return outline === undefined
        ? ["it is unreadable: nft broke off its list"]
        : diffOutlines(outline, outlineText(text));
    });
  }

  /** Not in turn: a change of the table must not wait for what takes as long as the table is large. */
  async counters(): Promise<ReadonlyMap<string, Counted>> {
    const list = await this.#list("counters", "table") ?? '{"nftables":[]}';
    const counters = listObjects(list).flatMap(([kind, body]) => kind === "counter" ? [body] : []);
    return new Map(counters.map(({ name, packets, bytes }) => [
      String(name),
      { packets: Number(packets), bytes: Number(bytes) },
    ]));
  }

  sign(): Promise<void> {
    return this.session.inTurn(() => this.session.sign());
  }

  close(): Promise<void> {
    return this.session.close();
  }

  async #runFile(text: string): Promise<void> {
    const { result } = await this.session.runFile(text);
    if (result.code !== 0) throw new TransactionRefused(this.table, result.stderr);
  }

  /** @returns what nft wrote; undefined when there is no such table */
  async #list(...what: readonly string[]): Promise<string | undefined> {
    const { argv, result } = await this.session.run(["-j", "list", ...what, ...this.table.split(" ")]);
    return isMissing(result) ? undefined : expectSuccess(argv, result).stdout;
  }
}

function isMissing({ code, stderr }: CommandResult): boolean {
  return code !== 0 && stderr.includes("No such file or directory");
}

/** @returns undefined when the list breaks off: nft 1.0.6 does so at a dormant table */
function ifWhole<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
