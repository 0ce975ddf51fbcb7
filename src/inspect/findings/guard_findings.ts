/** The packet guard's sets and the policies' maps against what pods need. Pure. */
import { compileGuard } from "../../nft/guard_model.ts";
import { attachmentOf, type Belief } from "../belief.ts";
import type { Finding } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";

const SETS = ["inet own4", "inet own6", "arp own4"] as const;

/** Elements that are named one by one. */
const MAX_NAMED = 5;

/** @param gathered with `guard` and `isolation`; what is missing of them is not judged */
export function guardFindings(gathered: Gathered, belief: Belief): Finding[] {
  return belief.from === "nothing" ? [] : [...sourceFindings(gathered, belief), ...isolationFindings(gathered)];
}

function sourceFindings(gathered: Gathered, { pods }: Belief): Finding[] {
  const elements = seen(gathered.guard)?.elements;
  if (elements === undefined) return [];
  const committed = pods.filter(({ state }) => state === "committed").map(attachmentOf);
  const grants = committed.flatMap(({ hostLink: link, addresses, anycast = [] }) =>
    [...addresses, ...anycast].map((address) => ({ link, address }))
  );
  const wanted = compileGuard({ grants, podPrefixes: [] });
  return SETS.flatMap((name): Finding[] => {
    const [family, set] = name.split(" ");
    const found = elements.get(name);
    if (found === undefined) return [];
    const missing = wanted[set === "own4" ? "own4" : "own6"].filter((element) => !found.has(element));
    return missing.length === 0 ? [] : [{
      severity: "wrong",
      subject: `nft set ${family} flock ${set}`,
      should: "let pods send by their own addresses",
      is: `it lacks ${named(missing)}: what they send is dropped`,
      hint: "the agent puts this back within 2 s; a dead one when it runs again",
    }];
  });
}

/** Which pods policies isolate only the agent knows. */
function isolationFindings(gathered: Gathered): Finding[] {
  const [agent, found] = [seen(gathered.agent), seen(gathered.isolation)];
  if (agent === undefined || found === undefined || !agent.policy.inForce) return [];
  const wanted = agent.policy.isolatedLinks.flatMap(({ link, directions }) =>
    directions.map((direction) => `${direction} ${link}`)
  );
  const missing = wanted.filter((each) => !found.has(each));
  const surplus = [...found].filter((each) => !wanted.includes(each));
  const finding = (is: string): Finding => ({
    ...{ severity: "wrong", subject: "nft table inet flock-policy", should: "guard the pods that policies select", is },
    hint: "the agent replaces the table within 2 s; its log says why if it stays",
  });
  return [
    ...(missing.length === 0 ? [] : [finding(`it lets everything through for ${named(missing)}`)]),
    ...(surplus.length === 0 ? [] : [finding(`it guards what no policy selects: ${named(surplus)}`)]),
  ];
}

function named(elements: readonly string[]): string {
  const more = elements.length - MAX_NAMED;
  return `${elements.slice(0, MAX_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
