import type { Clock } from "../clock/clock.ts";
import { CNI_CODE, isCniError } from "../cnispec/cni_error.ts";
import type { Observer } from "../prometheus/metric_registry.ts";
import { verbOf } from "./verb_of.ts";

type Handle = (request: unknown, length: number) => Promise<unknown>;

/** Why ADDs fail. Counted from 0 on: of a counter that appears with its first event Prometheus does not see that event. */
const EXPECTED = [CNI_CODE.ioFailure, CNI_CODE.tryAgainLater, CNI_CODE.invalidAnnotation, CNI_CODE.internal];
/** What the agent answers; whatever else comes over the socket is no operation. */
const VERBS: readonly unknown[] = ["ADD", "DEL", "CHECK", "GC", "STATUS"];

/** So many operations of one verb ended with one CNI error code. */
export interface OperationErrors {
  readonly verb: string;
  readonly code: number;
  readonly count: number;
}

/** Measures what the agent does for the plugin: a decorator of whoever answers the requests. */
export class OperationMeter {
  readonly #errors = new Map<string, OperationErrors>();

  /** @param deps `took` has the labels `verb` and `result`, which is `success` or `error` */
  constructor(private readonly deps: { readonly took: Observer; readonly clock: Pick<Clock, "monotonic"> }) {
    for (const code of EXPECTED) this.#count("ADD", { code, more: 0 });
  }

  get errors(): readonly OperationErrors[] {
    return [...this.#errors.values()];
  }

  measure(handle: Handle): Handle {
    return async (request, length) => {
      const verb = operationOf(request);
      if (verb === undefined) return await handle(request, length);
      const startedAt = this.deps.clock.monotonic();
      const took = (result: "success" | "error"): void =>
        this.deps.took.observe({ verb, result }, (this.deps.clock.monotonic() - startedAt) / 1000);
      try {
        const answer = await handle(request, length);
        took("success");
        return answer;
      } catch (error) {
        took("error");
        this.#count(verb, { code: isCniError(error) ? error.code : CNI_CODE.internal, more: 1 });
        throw error;
      }
    };
  }

  #count(verb: string, { code, more }: { code: number; more: number }): void {
    const key = `${verb} ${code}`;
    this.#errors.set(key, { verb, code, count: (this.#errors.get(key)?.count ?? 0) + more });
  }
}

function operationOf(request: unknown): string | undefined {
  const verb = verbOf(request);
  return VERBS.includes(verb) ? String(verb) : undefined;
}
