import { REST_MS } from "../../ipam/create_ipam.ts";
import { spanHas, usableSpan } from "../../ipam/usable_span.ts";
import { type Address, parseAddress, parsePrefix, type Prefix } from "../../ip/address.ts";
import { servedByLink } from "../../route/read_routes.ts";
import type { PodSnapshot } from "../../snapshot/agent_snapshot.ts";
import { type Belief, beliefOf, nameOf } from "../belief.ts";
import { anycastFindings, deadAgentFindings } from "../findings/agent_findings.ts";
import { originFindings } from "../findings/origin_findings.ts";
import { deadBirdFindings } from "../findings/session_findings.ts";
import type { Cell, Finding, Report } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import { isIn, toldTo } from "./bgp.ts";
import type { Command } from "./command.ts";

/** One address: whose it is, and who can reach it. */
export const address: Command = {
  name: "address",
  parameters: "IP",
  summary: "who has an address, since when, whether it is advertised, and if not why",
  refuse: (words) =>
    words.length === 1 && parseAddress(words[0] ?? "") !== undefined ? undefined : "it takes one IP address",
  needs: () => ["agent", "files", "recorded", "anycast", "bgp", "led", "nodeAddresses"],
  inspect: (gathered, { words: [word = ""], now }) => {
    const found = parseAddress(word);
    return found === undefined ? { fields: {}, findings: [], sections: [] } : inspectAddress(found, { gathered, now });
  },
};

/** What an address is to this node; each that holds. */
interface Holding {
  readonly kind: "pod" | "anycast" | "node" | "peer" | "resting" | "reserved" | "free" | "foreign";
  readonly text: string;
  /** `namespace/name`, of a pod. */
  readonly pod?: string;
  readonly since?: string;
  readonly until?: string;
  readonly reason?: string;
}

interface Question {
  readonly gathered: Gathered;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

function inspectAddress(asked: Address, { gathered, now }: Question): Report {
  const belief = beliefOf(gathered);
  const holdings = holdingsOf(asked, { gathered, now, belief });
  const reach = reachOf(asked, gathered);
  const owners = belief.pods.filter((pod) => hasAddress(pod, asked));
  return {
    fields: { address: asked.text, holdings, ...reach },
    findings: [
      ...unreachableFindings(asked, { owners, reach, gathered }),
      ...anycastFindings(seen(gathered.agent)?.pods ?? []).filter(({ subject }) => subject === `anycast ${asked.text}`),
      ...originFindings(gathered),
      ...deadAgentFindings(gathered, belief),
    ],
    sections: [{
      columns: [{ title: "what" }, { title: "says" }],
      rows: [
        ...holdings.map(({ kind, text }): Cell[] => [kind, text]),
        ...reachRows(reach),
      ],
    }],
    ...(belief.from === "nothing" && { unseen: "neither the agent nor its files say which pods are here" }),
  };
}

function holdingsOf(asked: Address, { gathered, now, belief }: Question & { belief: Belief }): Holding[] {
  const own = belief.pods.flatMap((pod) => podHoldings(pod, asked));
  const node: Holding[] = seen(gathered.nodeAddresses)?.has(asked.text) === true
    ? [{ kind: "node", text: "an address of this node itself" }]
    : [];
  const peer = belief.nodeConfig?.peers.find(({ address }) => address === asked.text);
  const held: Holding[] = [
    ...own,
    ...node,
    ...(peer === undefined ? [] : [{ kind: "peer", text: `a BGP peer of this node, AS ${peer.asn}` } as const]),
    ...restingHoldings(asked, { gathered, now }),
  ];
  return held.length > 0 ? held : [unheld(asked, belief)];
}

function podHoldings(pod: PodSnapshot, asked: Address): Holding[] {
  const known = { pod: nameOf(pod), since: pod.since };
  const state = pod.state === "pending" ? ", whose ADD is not done" : "";
  const holder = `${nameOf(pod)} (${pod.hostLink})${state} since ${pod.since}`;
  const claim = pod.anycast.find((each) => each.address === asked.text);
  const reason = claim?.advertised === false ? claim.reason : undefined;
  return [
    ...(hasAddress(pod, asked) ? [{ kind: "pod", text: holder, ...known } as const] : []),
    ...(claim === undefined ? [] : [{
      ...{ kind: "anycast", ...known } as const,
      text: `${holder}: ${claim.advertised ? "advertised" : `not advertised, ${reason ?? "unknown"}`}`,
      ...(reason === undefined ? {} : { reason }),
    }]),
  ];
}

/** By the file: the agent writes it with every address that is freed. */
function restingHoldings(asked: Address, { gathered, now }: Question): Holding[] {
  const resting = seen(gathered.recorded)?.state?.state.resting ?? [];
  return resting.filter(({ address, freedAt }) => address === asked.text && freedAt + REST_MS > now).map(
    ({ freedAt }) => {
      const until = new Date(freedAt + REST_MS).toISOString();
      return { kind: "resting", text: `freed a short while ago, rests until ${until}`, until };
    },
  );
}

function unheld(asked: Address, { nodeConfig }: Belief): Holding {
  const cidr = [...nodeConfig?.cidr6 ?? [], ...nodeConfig?.cidr4 ?? []].find((text) =>
    isIn(parsePrefix(text), asked.text)
  );
  const prefix = cidr === undefined ? undefined : parsePrefix(cidr);
  if (prefix === undefined) {
    return { kind: "foreign", text: nodeConfig === undefined ? "of no known CIDR" : "in no CIDR of this node" };
  }
  const isUsable = spanHas(usableSpan({ range: prefix, nodeCidr: prefix }), asked.value);
  return isUsable
    ? { kind: "free", text: `of ${prefix.text}, and nobody has it` }
    : { kind: "reserved", text: `of ${prefix.text}, ${roleOf(asked, prefix)}: no pod ever gets it` };
}

function roleOf(asked: Address, prefix: Prefix): string {
  if (asked.value === prefix.base) return asked.family === 4 ? "the network's own" : "the all-zeros host";
  return asked.value === prefix.base + 1n ? "the gateway's" : "the broadcast address";
}

interface Reach {
  /** Links of this node's pods that the kernel leads to for it as an anycast address. */
  readonly served?: readonly string[];
  /** Prefixes that BIRD originates and that hold it. */
  readonly originated?: readonly string[];
  /** Peers that are told of one of those. */
  readonly toldTo?: readonly string[];
  /** `PREFIX from PROTOCOL`, BIRD's best first. */
  readonly heard?: readonly string[];
}

function reachOf(asked: Address, gathered: Gathered): Reach {
  const [found, routes, led] = [seen(gathered.anycast), seen(gathered.bgp), seen(gathered.led)];
  const originated = routes?.originated.filter((prefix) => isIn(parsePrefix(prefix), asked.text));
  const links = found &&
    [...servedByLink(found)].filter(([, served]) => served.some(({ text }) => text === asked.text));
  const heard = led?.filter(({ protocol }) => protocol.startsWith("peer"));
  return {
    ...(links === undefined ? {} : { served: links.map(([link]) => link) }),
    ...(originated === undefined ? {} : {
      originated,
      toldTo: [...new Set(originated.flatMap((prefix) => toldTo(prefix, routes)))],
    }),
    ...(heard === undefined ? {} : { heard: heard.map(({ prefix, protocol }) => `${prefix.text} from ${protocol}`) }),
  };
}

function reachRows({ served = [], originated, toldTo = [], heard = [] }: Reach): Cell[][] {
  return [
    ...(served.length === 0 ? [] : [["route", `leads to ${served.join(", ")}`]]),
    ...(originated === undefined ? [] : [
      [
        "originated",
        originated.length === 0
          ? { text: "by no prefix of this node", tone: "dim" } as const
          : `in ${originated.join(", ")}`,
      ],
      ["told to", toldTo.length === 0 ? { text: "nobody", tone: "warn" } as const : toldTo.join(", ")],
    ]),
    ...(heard.length === 0 ? [] : [["heard", heard.join(", ")]]),
  ];
}

/** @param found `owners`: pods whose own address it is */
function unreachableFindings(
  asked: Address,
  { owners, reach: { originated, toldTo = [] }, gathered }: {
    owners: readonly PodSnapshot[];
    reach: Reach;
    gathered: Gathered;
  },
): Finding[] {
  const subject = `address ${asked.text}`;
  const should = "be known to the routers";
  const dead = deadBirdFindings(gathered.bgp);
  if (dead.length > 0) return dead;
  if (owners.length === 0 || originated === undefined) return [];
  if (originated.length === 0) {
    return [{
      severity: "wrong",
      subject,
      should,
      is: "BIRD originates no prefix that holds it",
      hint: "does spec.bgp.maxAnnounced leave it out, or does BIRD refuse? flock inspect summary",
    }];
  }
  return toldTo.length > 0 ? [] : [{
    ...{ severity: "wrong", subject, should },
    ...{ is: `no session tells anybody of ${originated.join(", ")}`, hint: "flock inspect bgp: is a session up?" },
  }];
}

function hasAddress({ addresses }: PodSnapshot, { text }: Address): boolean {
  return addresses.includes(text);
}
