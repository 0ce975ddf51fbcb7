import { type Address, contains, parseAddress, prefixOf } from "../ip/address.ts";
import type { Packet } from "./packet.ts";
import { tupleText } from "./parse_ruleset.ts";
import type { Expression, Key, Rule, Ruleset, Value, Verdict } from "./ruleset.ts";

/** A rule that the packet came to and that said something. */
export interface Step {
  readonly chain: string;
  readonly rule: Rule;
}

/** What became of a packet in one base chain. */
export interface Trace {
  /** `undecided`: a rule that nobody understands here may have had its say. */
  readonly outcome: "accept" | "drop" | "undecided";
  /** The rules that led there, in order: each jump or goto, and last the one that decided. Empty: the chain's own policy did. */
  readonly steps: readonly Step[];
  /** Why it is undecided. */
  readonly doubt?: string;
}

/** Chains may jump so deep (NFT_JUMP_STACK_SIZE, include/net/netfilter/nf_tables.h). */
const MAX_DEPTH = 16;

type Outcome = Trace | "return" | undefined;

/**
 * Follows a packet through a base chain, as the kernel does (nft_do_chain()).
 *
 * @param chain name of a chain with a hook. @throws Error when there is no such chain
 */
export function tracePacket(ruleset: Ruleset, { chain, packet }: { chain: string; packet: Packet }): Trace {
  const hook = ruleset.chains.get(chain)?.hook;
  if (hook === undefined) throw new Error(`Cannot follow a packet through chain ${chain}: no such base chain`);
  const outcome = new Tracer(ruleset, packet).run(chain, []);
  return typeof outcome === "object" ? outcome : { outcome: hook.policy, steps: [] };
}

class Tracer {
  constructor(private readonly ruleset: Ruleset, private readonly packet: Packet) {}

  /** @returns undefined when the chain ends, "return" when a rule ends it */
  run(name: string, before: readonly Step[]): Outcome {
    const chain = this.ruleset.chains.get(name);
    if (chain === undefined) return undecided(before, `chain ${name} is missing`);
    if (before.length > MAX_DEPTH) return undecided(before, "chains jump in a circle");
    for (const rule of chain.rules) {
      const outcome = this.#ask({ chain: name, rule }, before);
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  #ask(step: Step, before: readonly Step[]): Outcome {
    const steps = [...before, step];
    for (const expression of step.rule.expressions) {
      const verdict = this.#evaluate(expression);
      if (verdict === "passes") continue;
      if (verdict === "fails") return undefined;
      if (verdict === "unknown") return undecided(steps, `nobody knows here what ${textOf(expression)} does`);
      return this.#obey(verdict, steps);
    }
    return undefined;
  }

  #obey(verdict: Verdict, steps: readonly Step[]): Outcome {
    switch (verdict.kind) {
      case "accept":
      case "drop":
        return { outcome: verdict.kind, steps };
      case "return":
        return "return";
      case "continue":
        return undefined;
      case "goto":
        return this.run(verdict.chain, steps) ?? "return";
      case "jump": {
        const outcome = this.run(verdict.chain, steps);
        return outcome === "return" ? undefined : outcome;
      }
    }
  }

  #evaluate(expression: Expression): Verdict | "passes" | "fails" | "unknown" {
    switch (expression.kind) {
      case "verdict":
        return expression.verdict;
      case "aside":
        return "passes";
      case "unknown":
        return "unknown";
      case "match":
        return this.#matches(expression) ? "passes" : "fails";
      case "vmap": {
        const parts = this.#read(expression.keys);
        const map = this.ruleset.maps.get(expression.map);
        return (parts && map?.get(tupleText(parts))) ?? "fails";
      }
    }
  }

  #matches({ keys, negated, value }: Extract<Expression, { kind: "match" }>): boolean {
    const parts = this.#read(keys);
    return parts !== undefined && this.#holds(value, parts) !== negated;
  }

  #holds(value: Value, parts: readonly string[]): boolean {
    const [first = ""] = parts;
    switch (value.kind) {
      case "tuple":
        return tupleText(value.parts) === tupleText(parts);
      case "range":
        return isWithin(first, value);
      case "prefix":
        return isInPrefix(first, value);
      case "list":
        return value.values.some((each) => this.#holds(each, parts));
      case "set":
        return this.ruleset.sets.get(value.name)?.some((each) => this.#holds(each, parts)) === true;
    }
  }

  /** @returns undefined when the packet lacks one of them */
  #read(keys: readonly Key[]): string[] | undefined {
    const parts = keys.flatMap((key) => this.packet.get(key) ?? []);
    return parts.length === keys.length ? parts : undefined;
  }
}

function undecided(steps: readonly Step[], doubt: string): Trace {
  return { outcome: "undecided", steps, doubt };
}

function textOf(expression: Expression): string {
  return expression.kind === "unknown" ? expression.text : expression.kind;
}

function isWithin(text: string, { first, last }: { first: string; last: string }): boolean {
  const [value, low, high] = [text, first, last].map(numberOf);
  return value !== undefined && low !== undefined && high !== undefined && low <= value && value <= high;
}

function numberOf(text: string): bigint | undefined {
  return /^\d+$/.test(text) ? BigInt(text) : parseAddress(text)?.value;
}

function isInPrefix(text: string, { address, length }: { address: string; length: number }): boolean {
  const [outer, inner]: (Address | undefined)[] = [parseAddress(address), parseAddress(text)];
  return outer !== undefined && inner !== undefined && contains(prefixOf(outer, length), inner);
}
