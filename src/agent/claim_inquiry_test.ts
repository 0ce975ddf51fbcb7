import { assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { type Address, parseAddress } from "../ip/address.ts";
import { KubeError, type KubeObject } from "../kube/kube_client.ts";
import { prefix, rawPod } from "./_agent_fixture.ts";
import { ANSWER_MS, ClaimAnswers } from "./claim_answers.ts";
import { ClaimInquiry, type Findings } from "./claim_inquiry.ts";

const NODES = [
  { name: "node-b", prefixes: [prefix("203.0.113.64/26"), prefix("2001:db8:f002::/64")], others: [] },
  { name: "node-c", prefixes: [prefix("203.0.113.128/26")], others: [] },
];

function ip(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(text);
  return address;
}

/** @param annotations flock's own, without the prefix */
function podAt(name: string, { ips, phase = "Running", annotations = {} }: {
  ips: readonly string[];
  phase?: string;
  annotations?: Record<string, string>;
}): KubeObject {
  const own = Object.entries(annotations).map(([key, value]) => [`flock.fritzlab.net/${key}`, value]);
  return {
    ...rawPod(name, { annotations: Object.fromEntries(own) }),
    status: { phase, podIPs: ips.map((ip) => ({ ip })) },
  };
}

/** An API server with these pods on node-b. */
function inquiryOf(answer: () => KubeObject): { inquiry: ClaimInquiry; asked: string[] } {
  const asked: string[] = [];
  const get = (path: string): Promise<KubeObject> => {
    asked.push(decodeURIComponent(path));
    return Promise.resolve().then(answer);
  };
  return { inquiry: new ClaimInquiry({ get }), asked };
}

function shown({ holders, untold }: Findings): unknown {
  return { holders: Object.fromEntries(holders), untold: Object.fromEntries(untold) };
}

Deno.test("ClaimInquiry asks the API server of the nodes alone in whose CIDRs a claim lies: claims outside of all cost nothing", async () => {
  const { inquiry, asked } = inquiryOf(() => ({ items: [] }));
  const nothing = { holders: {}, untold: {} };
  assertEquals(shown(await inquiry.ask([ip("192.0.2.53"), ip("2001:db8:a::1"), ip("203.0.113.2")], NODES)), nothing);
  assertEquals(asked, []);
  assertEquals(shown(await inquiry.ask([ip("203.0.113.70"), ip("2001:db8:f002::7"), ip("192.0.2.1")], NODES)), nothing);
  assertEquals(asked, ["/api/v1/pods?fieldSelector=spec.nodeName=node-b"]);
});

Deno.test("ClaimInquiry names who has an address of either family, but neither a pod that has ended nor one that claims it as well", async () => {
  const { inquiry } = inquiryOf(() => ({
    items: [
      podAt("web", { ips: ["203.0.113.70", "2001:db8:f002:0::7"] }),
      podAt("job", { ips: ["203.0.113.71"], phase: "Succeeded" }),
      podAt("crash", { ips: ["203.0.113.72"], phase: "Failed" }),
      podAt("mail", { ips: ["203.0.113.73"], annotations: { addresses: "203.0.113.73" } }),
      { nonsense: true },
    ],
  }));
  const claimed = ["203.0.113.70", "2001:db8:f002::7", "203.0.113.71", "203.0.113.72", "203.0.113.73", "203.0.113.74"];
  assertEquals(shown(await inquiry.ask(claimed.map(ip), NODES)), {
    holders: { "203.0.113.70": "pod ns/web on node-b", "2001:db8:f002::7": "pod ns/web on node-b" },
    untold: {},
  });
});

Deno.test("ClaimInquiry says what nobody can tell: the API server does not answer, or has not yet said whose the remembered prefixes are", async () => {
  const { inquiry, asked } = inquiryOf(() => {
    throw new KubeError("Cannot GET: refused", undefined);
  });
  const remembered = { prefixes: [prefix("198.51.100.0/24")], others: [] };
  assertEquals(
    shown(await inquiry.ask(["203.0.113.70", "198.51.100.7", "192.0.2.1"].map(ip), [...NODES, remembered])),
    {
      holders: {},
      untold: {
        "203.0.113.70": "Cannot GET: refused",
        "198.51.100.7": "the API server has not answered yet",
      },
    },
  );
  assertEquals(asked.length, 1);
});

Deno.test("ClaimAnswers never waits: it rings when there is an answer, which holds for a while, and when it is too old", async () => {
  const clock = new HandClock();
  const { inquiry, asked } = inquiryOf(() => ({ items: [podAt("web", { ips: ["203.0.113.70"] })] }));
  let rings = 0;
  const answers = new ClaimAnswers({ inquiry, clock, changed: () => void rings++ });
  const look = (text: string): Findings | undefined => answers.of([ip(text)], NODES);
  assertEquals([look("192.0.2.53")?.holders.size, rings], [0, 0]);
  assertEquals([look("203.0.113.70"), look("203.0.113.70")], [undefined, undefined]);
  await clock.pass(0);
  assertEquals([look("203.0.113.70")?.holders.size, rings, asked.length], [1, 1, 1]);
  await clock.pass(ANSWER_MS);
  assertEquals([look("203.0.113.70"), rings], [undefined, 2]);
  await clock.pass(0);
  assertEquals([look("203.0.113.70")?.holders.size, rings, asked.length], [1, 3, 2]);
});
