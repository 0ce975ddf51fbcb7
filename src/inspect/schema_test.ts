/** deploy/inspect.schema.json is what the documents are. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import schema from "../../deploy/inspect.schema.json" with { type: "json" };
import { fieldsOf, itemsOf } from "../json/fields.ts";
import { podOf, snapshotOf, visit } from "./_inspect_fixture.ts";
import { COMMANDS } from "./commands/commands.ts";
import { renderJson } from "./render_json.ts";
import { renderReport } from "./render_table.ts";
import { renderYaml } from "./render_yaml.ts";
import { load } from "js-yaml";

const LINES: Readonly<Record<string, string>> = {
  pod: "pod default/web",
  allowed: "allowed default/web default/db:80",
  address: "address 203.0.113.2",
};
const AT = "2026-03-01T11:59:00.000Z";

/** With all that may be absent. */
const TROUBLED = snapshotOf({
  nodeConfig: { ...snapshotOf().nodeConfig, failure: "sysctl", bgpProblems: ["password"], warnings: ["asn"] },
  stateFailure: "Read-only file system",
  bird: { applied: false, reason: "refused", message: "line 7" },
  sessions: [
    { peer: "192.0.2.1", state: "Active", established: false, since: AT, lastError: "Connection refused" },
    { peer: "2001:db8:1::1", state: "Established", established: true },
  ],
  watches: [{ resource: "pods", scope: "cluster", synced: false, lastError: "refused" }],
  policy: {
    ...snapshotOf().policy,
    failure: "nft ended with 1",
    problems: [{ namespace: "default", name: "deny", reason: "PolicyInvalid", message: "spec.x" }],
  },
  repairs: [{ at: AT, what: "a route" }],
  failures: [{ at: AT, what: "a pass" }],
});
const DEAD = { agent: undefined, answer: () => ({ code: 1, stderr: "no" }) };

/** As much of JSON Schema as the schema uses. @returns what does not hold, with its place */
function violations(value: unknown, rules: unknown, at = "$"): string[] {
  const { $ref, const: constant, enum: choices, type, items, properties, required, additionalProperties: more } =
    fieldsOf(rules);
  if (typeof $ref === "string") return violations(value, definition($ref.slice("#/$defs/".length)), at);
  if (constant !== undefined) return value === constant ? [] : [`${at} is not ${constant}`];
  if (Array.isArray(choices)) return choices.includes(value) ? [] : [`${at} is none of ${choices}`];
  const types = Array.isArray(type) ? type : [type];
  if (!types.some((each) => isOf(value, each))) return [`${at} is no ${types}`];
  if (Array.isArray(value)) return value.flatMap((item, index) => violations(item, items, `${at}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  const known = fieldsOf(properties);
  const missing = itemsOf(required).filter((key) => fieldsOf(value)[String(key)] === undefined);
  return [
    ...missing.map((key) => `${at}.${key} is missing`),
    ...Object.entries(value).flatMap(([key, held]) => {
      if (held === undefined) return [];
      if (known[key] !== undefined) return violations(held, known[key], `${at}.${key}`);
      return more === false
        ? [`${at}.${key} is unknown`]
        : more === undefined
        ? []
        : violations(held, more, `${at}.${key}`);
    }),
  ];
}

function isOf(value: unknown, type: unknown): boolean {
  if (type === "array") return Array.isArray(value);
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  const found: string = typeof value;
  return found === type;
}

function definition(name: string): unknown {
  return fieldsOf(schema.$defs)[name];
}

Deno.test("the schema describes every command, and every document of each keeps to it, whoever is dead", async () => {
  assertEquals(schema.oneOf.map(({ $ref }) => $ref).sort(), COMMANDS.map(({ name }) => `#/$defs/${name}`).sort());
  for (const { name } of COMMANDS) {
    for (const world of [{}, { agent: TROUBLED, made: TROUBLED }, DEAD]) {
      const { document } = await visit(LINES[name] ?? name, world);
      assertEquals(violations(document, definition(name)), [], name);
    }
  }
});

Deno.test("the schema is no sieve: what it does not know, lacks or has another type is told", async () => {
  const { document } = await visit("pods");
  const [pod] = itemsOf(document["pods"]);
  const odd = { ...document, pods: [{ ...fieldsOf(pod), mtu: "1500", colour: "red", state: undefined }] };
  assertEquals(violations(odd, definition("pods")), [
    "$.pods[0].state is missing",
    "$.pods[0].mtu is no integer",
    "$.pods[0].colour is unknown",
  ]);
});

Deno.test("-o yaml says the same as -o json, whatever texts are in it", async () => {
  const texts = ["no", "1e3", "a: b", "- x", "#", "\u{1f600}\u2028", "'\"", "", " ", "null", "~", "2026-01-01", "0x1F"];
  const odd = { texts, keys: Object.fromEntries(texts.map((text, index) => [text, index])), none: [], empty: {} };
  assertEquals(load(renderYaml(odd)), JSON.parse(JSON.stringify(odd)));
  for (const { name } of COMMANDS) {
    const { document } = await visit(LINES[name] ?? name, { agent: TROUBLED });
    assertEquals(load(renderYaml(document)), JSON.parse(JSON.stringify(document)));
    assert(!renderYaml(document).includes("undefined"));
  }
});

Deno.test("no form gives a terminal what a pod chose to tell it, and JSON and YAML give the text back", async () => {
  const chosen = "\x1b[2J\u009b2J\x7f\u202e\u{1f600}\n";
  const pods = [podOf("web", 2, { annotations: { addresses: chosen } })];
  const { document, report, headline } = await visit("pod default/web", { agent: snapshotOf({ pods }) });
  const forms = [renderJson, renderYaml].map((render) => render(document));
  const table = renderReport(headline, report, { colour: false, wide: true });
  for (const text of [...forms, table]) assertMatch(text, /^[\x20-\x7e\n]*$/);
  const same = JSON.parse(JSON.stringify(document));
  assertEquals([JSON.parse(forms[0] ?? ""), load(forms[1] ?? "")], [same, same]);
});
