/**
 * Random NetworkPolicies as the API server would send them: every way to leave something out, and now and then what
 * only a broken one lets in.
 */
import fc from "fast-check";
import {
  labelKey,
  labelValue,
  maybe,
  namespace,
  nothing,
  object,
  portNumber,
  protocol,
  rarely,
} from "./_arbitrary_parts.ts";
import type { RawBlock, RawPeer, RawPolicy, RawPort, RawRequirement, RawRule, RawSelector } from "./raw_objects.ts";
import { NAMES, SUBNETS } from "./universe.ts";

const requirement: fc.Arbitrary<RawRequirement> = rarely(40, {
  usual: fc.oneof(
    {
      weight: 2,
      arbitrary: object<RawRequirement>({
        key: labelKey,
        operator: fc.constantFrom("In", "NotIn"),
        values: fc.array(labelValue, { minLength: 1, maxLength: 2 }),
      }),
    },
    {
      weight: 1,
      arbitrary: object<RawRequirement>({
        key: labelKey,
        operator: fc.constantFrom("Exists", "DoesNotExist"),
        values: maybe(fc.constant([]), 1),
      }),
    },
  ),
  odd: fc.record({
    key: labelKey,
    operator: fc.constantFrom("in", "Gt", "", "In", "NotIn", "Exists"),
    values: fc.constantFrom([], ["x"]),
  }).filter(({ operator, values }) => !(["In", "NotIn"].includes(operator) && values.length > 0))
    .filter(({ operator, values }) => !(operator === "Exists" && values.length === 0)),
});

const matchLabels = fc.dictionary(labelKey, labelValue, { maxKeys: 1, noNullPrototype: true });

/** Mostly of one requirement: of several few pods have all. */
const selector: fc.Arbitrary<RawSelector> = fc.oneof(
  {
    weight: 3,
    arbitrary: object<RawSelector>({ matchLabels: maybe(matchLabels), matchExpressions: maybe(fc.constant([]), 1) }),
  },
  {
    weight: 5,
    arbitrary: object<RawSelector>({
      matchLabels: maybe(fc.constant({}), 1),
      matchExpressions: fc.array(requirement, { minLength: 1, maxLength: 1 }),
    }),
  },
  {
    weight: 1,
    arbitrary: object<RawSelector>({
      matchLabels: maybe(matchLabels),
      matchExpressions: fc.array(requirement, { maxLength: 2 }),
    }),
  },
);

interface Block {
  readonly family: 4 | 6;
  /** The last digits of its address; those beyond its length are host bits. */
  readonly host: number;
  readonly length: number;
}

const LENGTHS = { 4: [0, 1, 8, 24, 28, 29, 30, 31, 32], 6: [0, 1, 32, 64, 124, 125, 126, 127, 128] } as const;

const anyBlock: fc.Arbitrary<Block> = fc.constantFrom<4 | 6>(4, 6).chain((family) =>
  fc.record({ family: fc.constant(family), host: fc.nat(15), length: fc.constantFrom(...LENGTHS[family]) })
);

function blockText({ family, host, length }: Block): string {
  return `${SUBNETS[family]}${host.toString(family === 4 ? 10 : 16)}/${length}`;
}

/** @returns a block inside of the other, or all of it: what `except` may say */
function inside({ family, host, length }: Block): fc.Arbitrary<Block> {
  const most = family === 4 ? 32 : 128;
  const free = 2 ** Math.min(most - length, 4) - 1;
  const hosts = fc.nat(15).map((other) => (host & ~free) | (other & free));
  return fc.record({ family: fc.constant(family), host: hosts, length: fc.integer({ min: length, max: most }) });
}

const goodBlock: fc.Arbitrary<RawBlock> = anyBlock.chain((outer) =>
  object<RawBlock>({
    cidr: fc.constant(blockText(outer)),
    except: maybe(fc.array(inside(outer).map(blockText), { maxLength: 3 })),
  })
);
const NOT_BLOCKS = ["10.0.0.1", "10.0.0.0/33", "10.0.0/24", "2001:db8::/129", "", "x/8", "0.0.0.0/0; drop"];
const block: fc.Arbitrary<RawBlock> = rarely(40, {
  usual: goodBlock,
  odd: fc.oneof(
    fc.record({ cidr: fc.constantFrom(...NOT_BLOCKS) }),
    fc.record({
      cidr: fc.constantFrom("10.0.0.0/8"),
      except: fc.constantFrom(["x"], ["2001:db8::/64"], ["11.0.0.0/9"]),
    }),
  ),
});

const podPeer: fc.Arbitrary<RawPeer> = fc.oneof(
  object<RawPeer>({ podSelector: selector, namespaceSelector: maybe(selector), ipBlock: maybe(fc.constant(null), 1) }),
  object<RawPeer>({ namespaceSelector: selector, podSelector: maybe(selector), ipBlock: nothing }),
);
const peer: fc.Arbitrary<RawPeer> = rarely(60, {
  usual: fc.oneof(
    { weight: 3, arbitrary: podPeer },
    {
      weight: 2,
      arbitrary: object<RawPeer>({
        ipBlock: block,
        podSelector: maybe(fc.constant(null), 1),
        namespaceSelector: nothing,
      }),
    },
  ),
  odd: fc.oneof(
    fc.constant({}),
    fc.constant({ podSelector: null }),
    object<RawPeer>({ ipBlock: goodBlock, podSelector: fc.constant({}), namespaceSelector: nothing }),
  ),
});

const goodPort: fc.Arbitrary<RawPort> = fc.oneof(
  object<RawPort>({ protocol, port: maybe(portNumber), endPort: maybe(fc.constant(null), 1) }),
  {
    weight: 2,
    arbitrary: object<RawPort>({
      protocol,
      port: fc.constantFrom<string>(...NAMES, ...NAMES, "nobodys"),
      endPort: nothing,
    }),
  },
  fc.tuple(portNumber, portNumber).chain((ends) =>
    object<RawPort>({
      protocol,
      port: fc.constant(Math.min(...ends)),
      endPort: fc.constant(Math.max(...ends)),
    })
  ),
);
const port: fc.Arbitrary<RawPort> = rarely(60, {
  usual: goodPort,
  odd: fc.constantFrom<RawPort>(
    { port: 81, endPort: 80 },
    { endPort: 80 },
    { port: "http", endPort: 80 },
    { port: 0 },
    { port: 65536 },
    { port: 80, endPort: 65536 },
    { protocol: "ICMP" },
    { protocol: "tcp", port: 80 },
    { protocol: "", port: 80.5 },
  ),
});

/** More of one kind than nft is given rules for, one each. */
const MANY = 12;
const manyPorts: fc.Arbitrary<RawPort[]> = fc.tuple(fc.constantFrom("TCP", "UDP", "SCTP"), fc.boolean()).map((
  [protocol, areRanges],
) =>
  Array.from({ length: MANY }, (_, i) => ({ protocol, port: 41 + 4 * i, ...(areRanges && { endPort: 42 + 4 * i }) }))
);
const manyBlocks: fc.Arbitrary<RawPeer[]> = fc.tuple(fc.constantFrom<4 | 6>(4, 6), fc.boolean()).map((
  [family, areHoles],
) => {
  const length = family === 4 ? 32 : 128;
  const hosts = Array.from({ length: MANY }, (_, i) => blockText({ family, host: 2 * i, length }));
  const around = blockText({ family, host: 0, length: family === 4 ? 24 : 64 });
  return areHoles ? [{ ipBlock: { cidr: around, except: hosts } }] : hosts.map((cidr) => ({ ipBlock: { cidr } }));
});

const ports = maybe(rarely(25, { usual: fc.array(port, { maxLength: 3 }), odd: manyPorts }), 6);
const peers = maybe(rarely(25, { usual: fc.array(peer, { maxLength: 3 }), odd: manyBlocks }), 8);
const ingress: fc.Arbitrary<RawRule> = object<RawRule>({ from: peers, to: nothing, ports });
const egress: fc.Arbitrary<RawRule> = object<RawRule>({ to: peers, from: nothing, ports });
const policyTypes = rarely<string[] | null | undefined>(40, {
  usual: maybe(fc.subarray(["Ingress", "Egress"]), 6),
  odd: fc.constantFrom(["Engress"], ["Ingress", "egress"], [""]),
});

/** Without a name: its place among the others is its name. */
export const policy: fc.Arbitrary<RawPolicy> = fc.record({
  metadata: fc.record({ namespace, name: fc.constant(""), uid: fc.constant("") }),
  spec: object<RawPolicy["spec"]>({
    podSelector: maybe(selector, 6),
    policyTypes,
    ingress: maybe(fc.array(ingress, { maxLength: 3 }), 8),
    egress: maybe(fc.array(egress, { maxLength: 3 }), 8),
  }),
});
