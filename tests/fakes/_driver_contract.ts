/** What an attachment driver and a packet guard promise, on whatever kernel: in memory, and on a real one. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { hostLinkName, podMacOf } from "../../src/hash/container_hash.ts";
import { type Address, parseAddress } from "../../src/ip/address.ts";
import { AttachFailed, type Attachment, type AttachmentDriver } from "../../src/link/attachment_driver.ts";
import type { PacketGuard, SourceGrant } from "../../src/nft/packet_guard.ts";

/** Where the drivers work. */
export interface ContractBench {
  readonly driver: AttachmentDriver;
  /** A guard as a process has it that starts now. */
  openGuard(): PacketGuard;
  /** Makes a network namespace. */
  addNamespace(path: string): Promise<void>;
  /** Makes what an attach leaves that was cut off between the two ends. */
  cutOff(attachment: Attachment): Promise<void>;
}

/** One promise. */
export interface Promised {
  readonly title: string;
  verify(bench: ContractBench): Promise<void>;
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  assert(address, text);
  return address;
}

function attachmentOf(id: string, ...addresses: readonly string[]): Attachment {
  const place = { containerId: id, ifname: "eth0", netns: `/run/netns/${id}`, hostLink: hostLinkName(id) };
  return { ...place, podMac: podMacOf(id), mtu: 1500, addresses: addresses.map(addressOf) };
}

async function added(
  { addNamespace }: ContractBench,
  id: string,
  ...addresses: readonly string[]
): Promise<Attachment> {
  const attachment = attachmentOf(id, ...addresses);
  await addNamespace(attachment.netns);
  return attachment;
}

async function faultOf(attempt: Promise<void>): Promise<string> {
  return (await assertRejects(() => attempt, AttachFailed)).fault;
}

async function found(driver: AttachmentDriver): Promise<string[]> {
  const links = await driver.list();
  return links.map(({ containerId, addresses }) => `${containerId} ${addresses.map(({ text }) => text).sort()}`).sort();
}

const grant = (link: string, address: string): SourceGrant => ({ link, address: addressOf(address) });
const LINK = hostLinkName("guarded");
const OTHER = hostLinkName("other");

export const DRIVER_CONTRACT: readonly Promised[] = [
  {
    title: "list() has what attach() made, check() finds nothing wrong with it, and detach() takes it away, twice too",
    verify: async (bench) => {
      const { driver } = bench;
      const one = await added(bench, "one", "203.0.113.1", "2001:db8:f::1");
      await driver.attach(one);
      assertEquals([await found(driver), await driver.check(one)], [["one 2001:db8:f::1,203.0.113.1"], []]);
      await driver.detach([one.hostLink]);
      await driver.detach([one.hostLink, "flock00000000"]);
      assertEquals(await driver.list(), []);
      assertEquals(await driver.check(one), [
        `host link ${one.hostLink} is missing`,
        `interface eth0 in ${one.netns} is missing`,
      ]);
    },
  },
  {
    title: "attach() refuses a namespace that is not there, and leaves nothing",
    verify: async ({ driver }) => {
      assertEquals(await faultOf(driver.attach(attachmentOf("nowhere", "203.0.113.2"))), "netnsMissing");
      assertEquals(await driver.list(), []);
    },
  },
  {
    title: "attach() refuses another namespace than the one that is meant, and leaves it as it is",
    verify: async (bench) => {
      const { driver } = bench;
      const other = await added(bench, "other", "203.0.113.9");
      assertEquals(await faultOf(driver.attach({ ...other, netnsId: "0:0:0" })), "netnsMissing");
      assertEquals(await driver.list(), []);
      await driver.attach(other);
      await driver.detach([other.hostLink]);
    },
  },
  {
    title: "attach() refuses an interface name that the pod has, and a host link that is another container's",
    verify: async (bench) => {
      const { driver } = bench;
      const [first, second] = [await added(bench, "first", "203.0.113.3"), await added(bench, "second", "203.0.113.4")];
      await driver.attach(first);
      assertEquals(await faultOf(driver.attach({ ...second, netns: first.netns })), "ifnameExists");
      assertEquals(await faultOf(driver.attach({ ...second, hostLink: first.hostLink })), "hostLinkTaken");
      assertEquals([await found(driver), await driver.check(first)], [["first 203.0.113.3"], []]);
      await driver.detach([first.hostLink]);
    },
  },
  {
    title: "attach() replaces what the same container had",
    verify: async (bench) => {
      const { driver } = bench;
      const old = await added(bench, "again", "203.0.113.5");
      await driver.attach(old);
      await driver.attach({ ...old, addresses: [addressOf("203.0.113.6")] });
      assertEquals(await found(driver), ["again 203.0.113.6"]);
      await driver.detach([old.hostLink]);
    },
  },
  {
    title: "mend() puts back what the host's end lacks, makes nothing anew, and is false where the link is gone",
    verify: async (bench) => {
      const { driver } = bench;
      const [first, second] = [await added(bench, "mended", "203.0.113.8"), await added(bench, "taker", "203.0.113.8")];
      assertEquals(await driver.mend(first), false);
      await driver.attach(first);
      assertEquals(await driver.mend(first), true);
      await driver.attach(second);
      await driver.detach([second.hostLink]);
      assertEquals([await driver.mend(first), await driver.check(first)], [true, []]);
      await driver.detach([first.hostLink]);
      assertEquals([await driver.mend(first), await driver.list()], [false, []]);
    },
  },
  {
    title:
      "rebind() gives a live pod other secondary and anycast addresses, twice too, and fails where the pod is gone",
    verify: async (bench) => {
      const { driver } = bench;
      const before = await added(bench, "bound", "203.0.113.20", "203.0.113.21");
      const after = {
        ...before,
        addresses: ["203.0.113.20", "203.0.113.22"].map(addressOf),
        anycast: ["192.0.2.53", "192.0.2.54"].map(addressOf),
      };
      await driver.attach(before);
      assertEquals((await driver.check(after)).length > 0, true);
      for (const _ of [1, 2]) await driver.rebind(before, after);
      assertEquals([await driver.check(after), await found(driver)], [[], ["bound 203.0.113.20,203.0.113.22"]]);
      await driver.rebind(after, before);
      assertEquals([await driver.check(before), await found(driver)], [[], ["bound 203.0.113.20,203.0.113.21"]]);
      assert((await driver.check(after)).some((phrase) => phrase === "address 192.0.2.53 on lo is missing"));
      await driver.detach([before.hostLink]);
      await faultOf(driver.rebind(before, after));
    },
  },
  {
    title: "repair() and mend() make whole what an attach left that was cut off between the two ends",
    verify: async (bench) => {
      const { driver } = bench;
      for (const id of ["repaired", "remade"]) {
        const half = await added(bench, id, "203.0.113.30", "2001:db8:f::30");
        await bench.cutOff(half);
        assertEquals(await found(driver), ["undefined "]);
        if (id === "remade") assertEquals(await driver.mend(half), true);
        else assert((await driver.repair([half])).mended.some((phrase) => phrase.includes(half.hostLink)));
        assertEquals([await driver.check(half), await found(driver)], [[], [`${id} 2001:db8:f::30,203.0.113.30`]]);
        await driver.detach([half.hostLink]);
      }
    },
  },
  {
    title: "a route goes with the last attach, and repair() puts back what check() misses, and no link",
    verify: async (bench) => {
      const { driver } = bench;
      const [loser, winner] = [await added(bench, "loser", "203.0.113.7"), await added(bench, "winner", "203.0.113.7")];
      await driver.attach(loser);
      await driver.attach(winner);
      assert((await driver.check(loser)).some((phrase) => phrase.includes("host route 203.0.113.7")));
      await driver.detach([winner.hostLink]);
      const { mended } = await driver.repair([loser, winner]);
      assert(mended.some((phrase) => phrase.includes("host route 203.0.113.7")), mended.join("; "));
      assertEquals([await driver.check(loser), await found(driver)], [[], ["loser 203.0.113.7"]]);
      await driver.detach([loser.hostLink]);
    },
  },
];

export const GUARD_CONTRACT: readonly Promised[] = [
  {
    title: "without tables drift() is undefined and grant() fails; replace() makes them",
    verify: async ({ openGuard }) => {
      const guard = openGuard();
      assertEquals(await guard.drift({ grants: [], podPrefixes: [] }), undefined);
      await assertRejects(() => guard.grant([grant(LINK, "203.0.113.1")]), Error, "Cannot change the tables flock");
      await guard.replace({ grants: [grant(LINK, "203.0.113.1")], podPrefixes: [] });
      assertEquals(await guard.drift({ grants: [grant(LINK, "203.0.113.1")], podPrefixes: [] }), []);
      await guard.close();
    },
  },
  {
    title: "another process's tables are drift until replace(), and take grants all the same",
    verify: async ({ openGuard }) => {
      const guard = openGuard();
      const grants = [grant(LINK, "203.0.113.1"), grant(OTHER, "203.0.113.2")];
      assertEquals((await guard.drift({ grants, podPrefixes: [] }))?.length, 1);
      await guard.grant([grant(OTHER, "203.0.113.2")]);
      await guard.replace({ grants, podPrefixes: [] });
      assertEquals(await guard.drift({ grants, podPrefixes: [] }), []);
      await guard.close();
    },
  },
  {
    title: "grant() and revoke() may be repeated; drift() names the link of each grant that lacks or is too many",
    verify: async ({ openGuard }) => {
      const guard = openGuard();
      const [kept, gone] = [grant(LINK, "203.0.113.1"), grant(OTHER, "2001:db8:f::2")];
      await guard.replace({ grants: [kept], podPrefixes: [] });
      await guard.grant([gone]);
      await guard.grant([gone, kept]);
      assertEquals(await guard.drift({ grants: [kept, gone], podPrefixes: [] }), []);
      const many = await guard.drift({ grants: [kept], podPrefixes: [] });
      assert(many?.length === 1 && many[0]?.includes(OTHER) && many[0].includes("not ours"), String(many));
      assertEquals(await guard.check([kept]), [], "what is beyond is not its business");
      await guard.revoke([gone]);
      await guard.revoke([gone]);
      const lacks = await guard.check([gone]);
      assert(lacks.length > 0 && lacks.every((phrase) => phrase.includes("lacks")), String(lacks));
      const few = await guard.drift({ grants: [kept, gone], podPrefixes: [] });
      assert(few?.length === 1 && few[0]?.includes(OTHER) && few[0].includes("lacks"), String(few));
      await guard.close();
    },
  },
];
