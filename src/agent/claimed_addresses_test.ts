import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import { parseAddress } from "../ip/address.ts";
import { KubeError } from "../kube/kube_client.ts";
import { type Fixture, know, openFixture, prefix, rawPod, request, restart } from "./_agent_fixture.ts";

interface Sandbox {
  readonly id: string;
  readonly name: string;
  readonly uid?: string;
  readonly annotations?: Record<string, string>;
}

function ask(fixture: Fixture, { id, name, uid = `uid-${name}`, annotations = {} }: Sandbox): Record<string, unknown> {
  const flock = Object.entries(annotations).map(([key, value]) => [`flock.fritzlab.net/${key}`, value]);
  know(fixture, rawPod(name, { uid, annotations: Object.fromEntries(flock) }));
  const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=${name};K8S_POD_UID=${uid}`;
  return request(fixture, "ADD", { id, args });
}

/** @returns the addresses of the CNI result */
async function add(fixture: Fixture, sandbox: Sandbox): Promise<string[]> {
  const result = await fixture.service.handle(ask(fixture, sandbox));
  assert(typeof result === "object" && result !== null && "ips" in result && Array.isArray(result.ips));
  return result.ips.map((ip: { address: string }) => ip.address);
}

async function refusal(fixture: Fixture, sandbox: Sandbox): Promise<string> {
  const error = await assertRejects(() => fixture.service.handle(ask(fixture, sandbox)), CniError);
  return `${error.code} ${error.message}`;
}

function del(fixture: Fixture, id: string): Promise<unknown> {
  return fixture.service.handle(request(fixture, "DEL", { id }));
}

function grants({ guard }: Fixture): string[] {
  return [...guard.grants ?? []].map((grant) => grant.split(" ").at(-1) ?? "").sort();
}

Deno.test("addresses: the first of each family is in the result, in place of one from the pool; anycast never is (T-CNI-32)", async () => {
  await using fixture = await openFixture();
  const annotations = { addresses: "192.0.2.7,2001:db8:7::7,192.0.2.8", anycast: "192.0.2.53,2001:db8:53::1" };
  assertEquals(await add(fixture, { id: "c1", name: "web", annotations }), ["192.0.2.7/32", "2001:db8:7::7/128"]);
  const bound = ["192.0.2.53", "192.0.2.7", "192.0.2.8", "2001:db8:53::1", "2001:db8:7::7"];
  assertEquals(grants(fixture), bound);
  const [link] = fixture.kernel.links.values();
  assertEquals(link?.anycast?.map(({ text }) => text), ["192.0.2.53", "2001:db8:53::1"]);
  assertEquals(fixture.ledger.all()[0]?.claimed, [6, 4]);
  await del(fixture, "c1");
  assertEquals([grants(fixture), fixture.kernel.links.size], [[], 0]);
});

Deno.test("addresses: the pool gives nobody what another node's pod answers, and a pod that moves here gets it", async () => {
  await using fixture = await openFixture();
  fixture.foreign = ["203.0.113.2", "203.0.113.4"].flatMap((text) => parseAddress(text) ?? []);
  const given: (string | undefined)[] = [];
  for (let pod = 0; pod < 3; pod++) given.push((await add(fixture, { id: `c${pod}`, name: `web-${pod}` }))[0]);
  assertEquals(given, ["203.0.113.3/32", "203.0.113.5/32", "203.0.113.6/32"]);
  assertStringIncludes(await refusal(fixture, { id: "c3", name: "web-3" }), "none free");
  const annotations = { addresses: "203.0.113.4" };
  assertEquals((await add(fixture, { id: "c4", name: "moved", annotations }))[0], "203.0.113.4/32");
  fixture.foreign = [];
  assertEquals((await add(fixture, { id: "c3", name: "web-3" }))[0], "203.0.113.2/32");
});

Deno.test("addresses: a family that is covered takes nothing from the pool, and does not rest", async () => {
  await using fixture = await openFixture();
  for (let pod = 0; pod < 12; pod++) { // the pool has five IPv4 addresses
    const sandbox = { id: `c${pod}`, name: `web-${pod}`, annotations: { addresses: "192.0.2.7" } };
    assertEquals((await add(fixture, sandbox))[0], "192.0.2.7/32");
    await del(fixture, `c${pod}`);
  }
});

Deno.test("addresses: a second live pod is refused, naming annotation, address and holder, and told by an Event", async () => {
  await using fixture = await openFixture();
  await add(fixture, { id: "c1", name: "web", annotations: { addresses: "192.0.2.7" } });
  const other = { id: "c2", name: "shop", annotations: { addresses: "192.0.2.7" } };
  const message = 'annotation flock.fritzlab.net/addresses "192.0.2.7": must not be an address that pod ns/web has';
  assertEquals(await refusal(fixture, other), `101 ${message}`);
  assertEquals(fixture.kube.events.map((event) => [event.reason, event.message]), [["InvalidAnnotation", message]]);
  assertEquals([fixture.kernel.links.size, grants(fixture).length, fixture.ledger.all().length], [1, 2, 1]);
  await del(fixture, "c1");
  assertEquals((await add(fixture, other))[0], "192.0.2.7/32");
});

Deno.test("addresses: a new sandbox of the same pod takes them over from one that was not deleted", async () => {
  await using fixture = await openFixture();
  const annotations = { addresses: "192.0.2.7,192.0.2.8" };
  await add(fixture, { id: "c1", name: "web", annotations });
  assertEquals((await add(fixture, { id: "c2", name: "web", annotations }))[0], "192.0.2.7/32");
  assertEquals(fixture.ledger.all().map(({ containerId }) => containerId), ["c2"]);
  await del(fixture, "c1");
  assertEquals(grants(fixture).filter((text) => text.startsWith("192")), ["192.0.2.7", "192.0.2.8"]);
});

Deno.test("anycast: an earlier sandbox of the same pod answers no more once there is a new one, whatever that claims", async () => {
  await using fixture = await openFixture();
  await add(fixture, { id: "c1", name: "web", annotations: { anycast: "192.0.2.53,192.0.2.54" } });
  await add(fixture, { id: "c2", name: "web", annotations: { anycast: "192.0.2.53", addresses: "192.0.2.54" } });
  await add(fixture, { id: "c3", name: "web", annotations: { anycast: "192.0.2.54" } });
  assertEquals(fixture.ledger.all().map(({ containerId }) => containerId), ["c3"]);
});

Deno.test("a claim inside the node's CIDR is kept from the pool, and refused while the pool's owner has it", async () => {
  await using fixture = await openFixture();
  await add(fixture, { id: "c1", name: "web", annotations: { anycast: "203.0.113.3", addresses: "203.0.113.4" } });
  const given: string[] = [];
  for (let pod = 2; pod <= 4; pod++) given.push((await add(fixture, { id: `c${pod}`, name: `p${pod}` }))[0] ?? "");
  assertEquals(given, ["203.0.113.2/32", "203.0.113.5/32", "203.0.113.6/32"]);
  for (const key of ["anycast", "addresses"]) {
    const claim = { id: "c9", name: "late", annotations: { [key]: "203.0.113.5" } };
    assertStringIncludes(
      await refusal(fixture, claim),
      `${key} "203.0.113.5": must not be an address that pod ns/p3 has`,
    );
  }
});

Deno.test("anycast: pods share an address, which stays theirs until the last one goes, over a restart too (T-BGP-06)", async () => {
  await using fixture = await openFixture();
  const annotations = { ipv6: "false", anycast: "203.0.113.3" };
  for (const id of ["a", "b"]) await add(fixture, { id, name: id, annotations });
  await del(fixture, "a");
  const again = await restart(fixture);
  const own = { id: "o", name: "own", annotations: { addresses: "203.0.113.3" } };
  assertStringIncludes(await refusal(again, own), "must not be an address that pod ns/b has");
  const given: string[] = [];
  for (const id of ["c", "d"]) {
    given.push((await add(again, { id, name: id, annotations: { ipv6: "false" } }))[0] ?? "");
  }
  assertEquals(given.includes("203.0.113.3/32"), false);
  await del(again, "b");
  assertEquals((await add(again, own))[0], "203.0.113.3/32");
});

Deno.test("a bad claim leaves nothing half-bound, and is told by an Event once for each ADD", async () => {
  await using fixture = await openFixture();
  for (const [key, value] of [["anycast", "192.0.2.53,127.0.0.1"], ["addresses", "192.0.2.7,fe80::1"]] as const) {
    assertStringIncludes(
      await refusal(fixture, { id: "c1", name: "web", annotations: { [key]: value } }),
      `101 annotation flock.fritzlab.net/${key}`,
    );
  }
  assertEquals([fixture.kernel.links.size, grants(fixture), fixture.ledger.all().length], [0, [], 0]);
  assertEquals(fixture.kube.events.length, 2);
});

Deno.test("claims survive a restart of the agent: the same answer, the same grants", async () => {
  await using fixture = await openFixture();
  const annotations = { addresses: "192.0.2.7,192.0.2.8", anycast: "2001:db8:53::1" };
  const first = await add(fixture, { id: "c1", name: "web", annotations });
  const before = grants(fixture);
  const again = await restart(fixture);
  assertEquals(grants(again), before);
  assertEquals(await add(again, { id: "c1", name: "web", annotations }), first);
});

const NODE_B = { name: "node-b", prefixes: [prefix("198.51.100.0/24")], others: [] };
const PODS_OF_B = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-b";

Deno.test("a claim to the address of another node's pod is refused, naming it, and nothing is bound; one that both claim is shared", async () => {
  await using fixture = await openFixture();
  fixture.otherNodes = [NODE_B];
  const at = (ip: string, more: Parameters<typeof rawPod>[1] = {}): Record<string, unknown> => ({
    ...rawPod(`at-${ip}`, more),
    status: { podIPs: [{ ip }] },
  });
  const sharing = { annotations: { "flock.fritzlab.net/addresses": "198.51.100.8" } };
  fixture.kube.pods.set(PODS_OF_B, { items: [at("198.51.100.7"), at("198.51.100.8", sharing)] });
  for (const key of ["anycast", "addresses"]) {
    const message = `annotation flock.fritzlab.net/${key} "198.51.100.7": must not be an address that ` +
      "pod ns/at-198.51.100.7 on node-b has";
    assertEquals(
      await refusal(fixture, { id: key, name: key, annotations: { [key]: "198.51.100.7" } }),
      `101 ${message}`,
    );
    assertEquals(fixture.kube.events.map((event) => [event.reason, event.message]), [["InvalidAnnotation", message]]);
    assertEquals([fixture.kernel.links.size, grants(fixture), fixture.ledger.all()], [0, [], []]);
    fixture.kube.events.length = 0;
  }
  await add(fixture, { id: "c1", name: "web", annotations: { anycast: "198.51.100.8,198.51.100.9" } });
  assertEquals(grants(fixture).filter((text) => text.startsWith("198")), ["198.51.100.8", "198.51.100.9"]);
});

Deno.test("while the API server is away, anycast in another node's CIDR waits and the pod starts; addresses there fail the ADD for now", async () => {
  await using fixture = await openFixture();
  fixture.otherNodes = [NODE_B];
  fixture.kube.failure = new KubeError("Cannot GET: refused", undefined);
  const untold = "must not be another pod's, which cannot be told now: Cannot GET: refused";
  assertEquals(
    await refusal(fixture, {
      id: "c1",
      name: "mail",
      annotations: { addresses: "198.51.100.7", anycast: "192.0.2.53" },
    }),
    `11 annotation flock.fritzlab.net/addresses "198.51.100.7": ${untold}`,
  );
  assertEquals([fixture.kernel.links.size, fixture.ledger.all()], [0, []]);
  await add(fixture, { id: "c2", name: "dns", annotations: { anycast: "198.51.100.7,192.0.2.53" } });
  assertEquals(fixture.ledger.all().map(({ anycast }) => anycast), [["192.0.2.53"]]);
  const [refused, waiting] = fixture.kube.events;
  assertEquals([refused?.reason, waiting?.reason], ["ClaimUnchecked", "ClaimUnchecked"]);
  assertEquals(waiting?.message, `annotation flock.fritzlab.net/anycast "198.51.100.7": ${untold}`);
  await add(fixture, { id: "c3", name: "elsewhere", annotations: { addresses: "192.0.2.7" } });
});
