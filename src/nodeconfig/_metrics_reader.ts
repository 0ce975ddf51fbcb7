import type { FieldReader } from "./_field_reader.ts";
import { DEFAULT_METRICS, type MetricsConfig } from "./node_config.ts";

const PORT = { min: 1024, max: 65535 };

/** Reads `spec.metrics`. @returns undefined when absent or refused */
export function readMetrics(reader: FieldReader, value: unknown): MetricsConfig | undefined {
  if (value === undefined || value === null) return undefined;
  const metrics = reader.object("spec.metrics", value);
  const bind = metrics["bind"] ?? DEFAULT_METRICS.bind;
  if (bind !== "Loopback" && bind !== "Node") {
    return reader.refuse("spec.metrics.bind", bind, "must be Loopback or Node");
  }
  const port = reader.integer("spec.metrics.port", metrics["port"] ?? DEFAULT_METRICS.port, PORT);
  const perPod = reader.boolean("spec.metrics.perPod", metrics["perPod"], DEFAULT_METRICS.perPod);
  return port === undefined ? undefined : { bind, port, perPod };
}
