/** The one file that knows prom-client. Metrics are described by their owners, and read when somebody scrapes. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What a metric is called, and what it means. */
export interface MetricSpec {
  /** With its unit and, for counters, `_total`: prometheus.io/docs/practices/naming. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** One series of a metric. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric that is read from the facts of a scrape. A series that is no longer read is no longer there. */
export interface ReadMetric<F> extends MetricSpec {
  readonly type: "gauge" | "counter";
  /** Cheap. Must not throw; a counter's values are not negative. */
  read(facts: F): readonly Sample[];
}

export interface HistogramSpec extends MetricSpec {
  /** Upper bounds in seconds, ascending. */
  readonly buckets: readonly number[];
}

/** Takes durations in seconds. */
export interface Observer {
  observe(labels: Readonly<Record<string, string>>, seconds: number): void;
}

/** Metrics in Prometheus' text format. */
export class MetricRegistry<F> {
  readonly #registry = new Registry();
  readonly #reads: ((facts: F) => void)[] = [];

  /** What to send as `Content-Type` with `text()`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  add({ type, name, help, labels = [], read }: ReadMetric<F>): void {
    const Type = type === "gauge" ? Gauge : Counter;
    const metric = new Type({ name, help, labelNames: [...labels], registers: [this.#registry] });
    this.#reads.push((facts) => {
      metric.reset();
      for (const { labels = {}, value } of read(facts)) metric.inc(labels, value);
    });
  }

  addHistogram({ name, help, labels = [], buckets }: HistogramSpec): Observer {
    const labelNames = [...labels];
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this.#registry] });
  }

  /** @returns all metrics as they are now */
  async text(facts: F): Promise<string> {
    for (const read of this.#reads) read(facts);
    return await this.#registry.metrics();
  }
}
