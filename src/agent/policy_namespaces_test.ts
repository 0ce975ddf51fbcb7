import { assertEquals } from "@std/assert";
import { MemorySources } from "../../tests/fakes/memory_sources.ts";
import { logger } from "./_agent_fixture.ts";
import { policyOf } from "./_policy_fixture.ts";
import { openPolicyMemory, type PolicyMemory } from "./policy_memory.ts";
import { PolicyNamespaces } from "./policy_namespaces.ts";

Deno.test("PolicyNamespaces go by what was remembered until the policies are heard, then by what is heard", () => {
  const sources = new MemorySources(false);
  const known = (remembered: ReadonlySet<string> | undefined): PolicyNamespaces =>
    new PolicyNamespaces({ sources, memory: { load: () => remembered, save: () => Promise.resolve() }, logger });
  const [nobodyKnows, none, other] = [known(undefined), known(new Set()), known(new Set(["other"]))];
  const asked = (): boolean[] => [nobodyKnows, none, other].map((each) => each.mayHave("ns"));
  assertEquals([asked(), other.mayHave("other")], [[true, false, false], true]);
  sources.setPolicy(policyOf("deny"));
  assertEquals([asked(), other.mayHave("other")], [[true, true, true], false]);
  sources.deletePolicy("ns/deny");
  sources.sync();
  assertEquals([asked(), other.mayHave("other")], [[false, false, false], false]);
});

Deno.test("PolicyNamespaces write down what is news, and an agent that starts reads it", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const kept = openPolicyMemory({ path: `${directory}/policies.json`, logger });
    let writes = 0;
    const memory: PolicyMemory = { load: kept.load, save: (names) => (writes++, kept.save(names)) };
    const sources = new MemorySources();
    const namespaces = new PolicyNamespaces({ sources, memory, logger });
    sources.sync();
    await namespaces.saved();
    assertEquals([kept.load(), writes], [new Set<string>(), 1]);
    for (const name of ["one", "two"]) sources.setPolicy(policyOf(name));
    await namespaces.saved();
    assertEquals([kept.load(), writes], [new Set(["ns"]), 2]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("PolicyNamespaces that a disk refuses are written with the next policy that changes", async () => {
  const written: string[][] = [];
  let full = true;
  const save = (names: ReadonlySet<string>): Promise<void> => {
    if (full) return Promise.reject(new Error("no space left on device"));
    return Promise.resolve(void written.push([...names]));
  };
  const sources = new MemorySources();
  const namespaces = new PolicyNamespaces({ sources, memory: { load: () => new Set<string>(), save }, logger });
  sources.setPolicy(policyOf("one"));
  await namespaces.saved();
  full = false;
  sources.setPolicy(policyOf("one"));
  await namespaces.saved();
  assertEquals(written, [["ns"]]);
});
