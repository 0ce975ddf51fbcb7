/** The agent's log: an answer that nobody foresaw, or an end with a stack trace, is a fault of flock's whatever came of it. */
import type { LabNode } from "../../lab/node.ts";
import type { Discrepancy } from "../report.ts";

export class LogJudge {
  // node -> characters that were read
  readonly #read = new Map<string, number>();

  /** Reads what is new. @returns with nothing in `what` when all is well */
  async judge(node: LabNode): Promise<Discrepancy> {
    const log = await node.readLog("agent");
    const lines = log.slice(this.#read.get(node.name) ?? 0).split("\n").slice(0, -1);
    this.#read.set(node.name, log.lastIndexOf("\n") + 1);
    return { where: node.name, what: judgeLog(lines), evidence: "its log" };
  }
}

/** @returns one line for each that must not be */
export function judgeLog(lines: readonly string[]): string[] {
  return lines.filter((line) => !line.startsWith("{") || line.includes('"message":"request failed"'))
    .map((line) => `agent's log: ${line}`);
}
