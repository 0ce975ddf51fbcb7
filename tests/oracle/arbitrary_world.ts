/** Random clusters. */
import fc from "fast-check";
import { labels, maybe } from "./_arbitrary_parts.ts";
import { memberOf, podDraft } from "./arbitrary_pod.ts";
import { policy } from "./arbitrary_policy.ts";
import type { RawNamespace, RawWorld } from "./raw_objects.ts";
import { NAMESPACES } from "./universe.ts";

const namespaces: fc.Arbitrary<RawNamespace[]> = fc.tuple(
  ...NAMESPACES.map((name) =>
    fc.tuple(maybe(labels, 12), fc.nat(19)).map(([labels, dice]): RawNamespace[] => {
      if (dice === 19) return [];
      return [JSON.parse(JSON.stringify({ metadata: { name, labels } }))];
    })
  ),
).map((lists) => lists.flat());

/** Clusters with up to eight pods, most of them this node's, and up to six policies. */
export const arbitraryWorld: fc.Arbitrary<RawWorld> = fc.record({
  policies: fc.array(policy, { minLength: 1, maxLength: 6, size: "max" }),
  namespaces,
  drafts: fc.array(podDraft, { minLength: 1, maxLength: 8, size: "max" }),
}).map(({ policies, namespaces, drafts }) => {
  const members = drafts.map((draft, i) => memberOf(draft, i + 1));
  return {
    policies: policies.map(({ metadata: { namespace }, spec }, i) => ({
      metadata: { namespace, name: `policy-${i}`, uid: `policy-${i}` },
      spec,
    })),
    namespaces,
    pods: members.flatMap(({ pod }) => pod ?? []),
    local: members.flatMap(({ local }) => local ?? []),
  };
});
