/**
 * What random packets cannot show: replies, errors, fragments, and what others' chains do; run by
 * real_packets_linux_test.ts.
 */
import { assertEquals } from "@std/assert";
import { expectOwnNamespace } from "../lab/in_namespace.ts";
import { echoPacket, fragmentsOf, ipBytes, tcpPacket, tooBigPacket, udpPacket } from "../lab/ip_packet.ts";
import { type Packet as WirePacket, withChecksum } from "../lab/raw_frames.ts";
import { until } from "../lab/until.ts";
import { countDrops, ip, nft, NodeRig, type Sending } from "./node_rig.ts";
import { NODE, UPLINK } from "./packet.ts";
import {
  admit,
  CLIENT,
  deny,
  ends,
  expectAll,
  FAMILIES,
  from,
  letOut,
  load,
  LOCAL,
  nextFlow,
  OF,
  pair,
  ROUTER,
  STRANGER,
  tcp,
  turned,
  udp,
  WEB,
} from "./packet_case_fixture.ts";
import { ANYCAST, NODES } from "./universe.ts";
import { addressOf } from "./wire.ts";

expectOwnNamespace();

Deno.test("connections, errors and fragments under policies, packet by packet on a real kernel", async (t) => {
  using rig = await NodeRig.make();
  await rig.place(LOCAL);
  const scene = (title: string, play: () => Promise<void>): Promise<boolean> => t.step(title, play);

  await scene("both ends of a packet between two pods of the node are asked (NP-51)", async () => {
    for (const family of FAMILIES) {
      const way = pair(CLIENT, WEB, family);
      await load([letOut("client", {}), deny("web")]);
      await expectAll(rig, [["ingress denies", tcp(way, 80), false]]);
      await load([deny("client"), admit("web", {})]);
      await expectAll(rig, [["egress denies", tcp(way, 80), false]]);
      await load([letOut("client", {}), admit("web", {})]);
      await expectAll(rig, [["both allow", tcp(way, 80), true]]);
    }
  });

  await scene("a policy for one family leaves the other closed (NP-53)", async () => {
    await load([admit("web", { from: [{ ipBlock: { cidr: "::/0" } }] })]);
    await expectAll(rig, FAMILIES.map((family) => [`IPv${family}`, tcp(pair(CLIENT, WEB, family), 80), family === 6]));
  });

  await scene("an anycast address is guarded as the pod's own are (NP-54)", async () => {
    const ways = ANYCAST.flatMap((to) => {
      const family = addressOf(to).family;
      return [{ by: CLIENT, from: OF[CLIENT][family], to }, { by: UPLINK, from: STRANGER[family], to }];
    });
    await load([]);
    await expectAll(rig, ways.map((way) => [`open: ${way.to}`, tcp(way, 80), true]));
    await load([deny("web")]);
    await expectAll(rig, ways.map((way) => [`closed: ${way.to}`, tcp(way, 80), false]));
    await load([deny("web"), admit("web", { ...from("client"), ports: [{ port: "http" }] })]);
    await expectAll(rig, ways.map((way) => [`for the client: ${way.to}`, tcp(way, 80), way.by === CLIENT]));
    await expectAll(rig, ways.map((way) => [`at its port: ${way.to}`, tcp(way, 81), false]));
  });

  await scene("what a pod sends from its anycast address comes from that pod (NP-55)", async () => {
    await load([admit("client", from("web"))]);
    for (const anycast of ANYCAST) {
      const to = OF[CLIENT][addressOf(anycast).family];
      await expectAll(rig, [["by its pod", tcp({ by: WEB, from: anycast, to }, 80), true]]);
    }
    await load([admit("client", from("other"))]);
    for (const anycast of ANYCAST) {
      const to = OF[CLIENT][addressOf(anycast).family];
      await expectAll(rig, [["not another's", tcp({ by: WEB, from: anycast, to }, 80), false]]);
    }
  });

  await scene("the node reaches its pods from each of its addresses, whatever is denied (NP-28)", async () => {
    await load([deny("web")]);
    for (const source of [...NODES[0], "192.0.2.99", "2001:db8:99::1"]) {
      const way = { by: NODE, from: source, to: OF[WEB][addressOf(source).family] };
      const echo = { cameBy: NODE, packet: echoPacket(ends(way), { id: nextFlow() }) };
      await expectAll(rig, [["TCP", tcp(way, 80), true], ["UDP", udp(way, 80), true], ["echo", echo, true]]);
    }
  });

  await scene("replies pass where nothing new may (NP-35)", async () => {
    await load([deny("web"), deny("client"), admit("web", from("client")), letOut("client", {})]);
    for (const family of FAMILIES) {
      for (const ask of [tcp, udp]) {
        const question = ask(pair(CLIENT, WEB, family), 80);
        await expectAll(rig, [
          ["what is asked", question, true],
          ["what is answered", turned(question, WEB), true],
          ["what nobody asked", ask(pair(WEB, CLIENT, family), 80), false],
        ]);
      }
      const [way, id] = [pair(CLIENT, WEB, family), nextFlow()];
      const back = { from: addressOf(way.to), to: addressOf(way.from) };
      await expectAll(rig, [
        ["a ping", { cameBy: CLIENT, packet: echoPacket(ends(way), { id }) }, true],
        ["its answer", { cameBy: WEB, packet: echoPacket(back, { id, isReply: true }) }, true],
        ["a ping back", { cameBy: WEB, packet: echoPacket(back, { id: nextFlow() }) }, false],
      ]);
    }
  });

  await scene(
    "errors about what a pod has sent reach it through a default deny; echoes and other errors do not (NP-26)",
    async () => {
      await load([deny("client"), letOut("client", { ports: [{ protocol: "UDP" }] })]);
      for (const family of FAMILIES) {
        const sending = udp({ by: CLIENT, from: OF[CLIENT][family], to: STRANGER[family] }, 9);
        const never = udp({ by: CLIENT, from: OF[CLIENT][family], to: STRANGER[family] }, 9);
        const back = { from: addressOf(ROUTER[family]), to: addressOf(OF[CLIENT][family]) };
        const error = ({ packet }: Sending): Sending => ({
          ...{ cameBy: UPLINK, packet: tooBigPacket(back, { about: ipBytes(packet), mtu: 1400 }) },
        });
        await expectAll(rig, [
          ["what is too big", sending, true],
          ["that it is too big", error(sending), true],
          ["an error about nothing", error(never), false],
          ["an echo in", { cameBy: UPLINK, packet: echoPacket(back, { id: nextFlow() }) }, false],
          ["an echo out", {
            cameBy: CLIENT,
            packet: echoPacket({ from: back.to, to: back.from }, { id: nextFlow() }),
          }, false],
        ]);
      }
      await load([admit("client", {})]);
      for (const family of FAMILIES) {
        const back = { from: addressOf(STRANGER[family]), to: addressOf(OF[CLIENT][family]) };
        await expectAll(rig, [["an echo, of all ports", {
          cameBy: UPLINK,
          packet: echoPacket(back, { id: nextFlow() }),
        }, true]]);
      }
    },
  );

  await scene("what connection tracking calls invalid is judged by the rules (NP-57)", async () => {
    await nft(`table inet witness { counter invalid { }
      chain c { type filter hook postrouting priority 97; ct state invalid counter name invalid; }; }`);
    const resets = FAMILIES.map((family) => ({ by: UPLINK, from: STRANGER[family], to: OF[WEB][family] }));
    await load([deny("web")]);
    await expectAll(rig, resets.map((way) => ["a reset of no connection", tcp(way, 80, "rst"), false]));
    await load([admit("web", { ports: [{ port: 80 }] })]);
    await expectAll(rig, resets.map((way) => ["one that a rule allows", tcp(way, 80, "rst"), true]));
    await expectAll(rig, resets.map((way) => ["at another port", tcp(way, 81, "rst"), false]));
    assertEquals(/packets \d+/.exec(await nft("list counter inet witness invalid"))?.[0], "packets 6");
    await nft("delete table inet witness");
  });

  await scene(
    "a datagram in fragments is judged whole, and an address that is mapped is nobody's (NP-56)",
    async () => {
      const rule = { from: [{ ipBlock: { cidr: "0.0.0.0/0" } }, { ipBlock: { cidr: "::/0" } }] };
      await load([admit("web", { ...rule, ports: [{ protocol: "UDP", port: 80 }] })]);
      for (const family of FAMILIES) {
        const way = { by: UPLINK, from: STRANGER[family], to: OF[WEB][family] };
        const cut = (port: number): Sending[] => {
          const packet = udpPacket(ends(way), { ports: { source: nextFlow(), destination: port }, payload: 3000 });
          return fragmentsOf(packet, { size: 1280, id: nextFlow() }).map((bytes) => ({
            cameBy: UPLINK,
            packet,
            bytes,
          }));
        };
        for (const inOrder of [true, false]) {
          const allowed = inOrder ? cut(80) : cut(80).toReversed();
          assertEquals(allowed.length, 3);
          assertEquals((await rig.exchange(allowed)).filter(({ link }) => link === WEB).length, 3);
          const [before, denied] = [await countDrops(), inOrder ? cut(81) : cut(81).toReversed()];
          for (const each of denied) rig.send(each);
          await until("the datagram is dropped", async () => await countDrops() === before + 1);
        }
        for (const alone of cut(80).slice(1)) rig.send(alone);
        assertEquals((await rig.exchange([udp(way, 80)])).length, 1, "none of the others came");
      }
      rig.send(udp({ by: UPLINK, from: `::ffff:${STRANGER[4]}`, to: OF[WEB][6] }, 80));
      assertEquals((await rig.exchange([udp({ by: UPLINK, from: STRANGER[4], to: OF[WEB][4] }, 80)])).length, 1);
    },
  );

  await scene("others' verdicts open nothing of ours, and ours nothing of theirs (NP-52)", async () => {
    await nft(`table inet foreign { counter theirs { }
      chain before { type filter hook forward priority 0; accept; }
      chain early { type filter hook postrouting priority 50; accept; }
      chain late { type filter hook postrouting priority 150; tcp dport 81 counter name theirs drop; }; }`);
    await load([admit("web", { ports: [{ port: 80 }, { port: 81 }] })]);
    for (const family of FAMILIES) {
      const way = pair(CLIENT, WEB, family);
      rig.send(tcp(way, 81));
      await expectAll(rig, [["what both allow", tcp(way, 80), true], ["what ours denies", tcp(way, 82), false]]);
    }
    assertEquals(/packets \d+/.exec(await nft("list counter inet foreign theirs"))?.[0], "packets 2");
    await nft("delete table inet foreign");
  });

  await scene("a connection goes on when a policy comes that would not have allowed it (NP-36)", async () => {
    for (const family of FAMILIES) {
      const [there, back] = [pair(CLIENT, WEB, family), pair(WEB, CLIENT, family)];
      const ports = { source: nextFlow(), destination: 80 };
      const on = (flags: "syn" | "ack"): Sending => ({
        cameBy: CLIENT,
        packet: tcpPacket(ends(there), { ports, flags }),
      });
      await load([deny("other")]);
      await expectAll(rig, [["a connection", on("syn"), true], ["its answer", turned(on("syn"), WEB), true]]);
      await load([deny("web"), deny("client")]);
      await expectAll(rig, [["more of it", on("ack"), true], ["another", tcp(there, 80), false]]);
      await expectAll(rig, [["or back", tcp(back, 80), false]]);
    }
  });

  await scene("a pod finds its next hop, and reaches its own node, whatever is denied (NP-27, NP-30)", async () => {
    await load([deny("web")]);
    await ip(`address add fe80::1/64 dev ${WEB} nodad`);
    const hop = addressOf("fe80::1");
    const target = [...hop.value.toString(16).padStart(32, "0").match(/../g) ?? []].map((byte) => parseInt(byte, 16));
    const body = new Uint8Array([135, 0, 0, 0, 0, 0, 0, 0, ...target, 1, 1, 2, 0, 0, 0, 0, 0x99]);
    const ask: WirePacket = withChecksum({ from: addressOf(OF[WEB][6]), to: hop, protocol: 58, body, hopLimit: 255 });
    const local = "-6 route show table local dev";
    await until("the node has its address", async () => (await ip(`${local} ${WEB}`)).includes("fe80::1"));
    rig.send({ cameBy: WEB, packet: ask });
    await until(
      "the node advertises itself",
      () => rig.take().some(({ link, bytes }) => link === WEB && bytes[6] === 58 && bytes[40] === 136),
    );
    for (const family of FAMILIES) {
      const to = NODES[0].find((address) => addressOf(address).family === family) ?? "";
      rig.send(tcp({ by: WEB, from: OF[WEB][family], to }, 80));
      await until(
        "the node refuses the connection",
        () => rig.take().some(({ link, bytes }) => link === WEB && bytes[family === 4 ? 9 : 6] === 6),
      );
    }
    for (const family of FAMILIES) {
      const way = { by: WEB, from: OF[WEB][family], to: STRANGER[family] };
      rig.send({ cameBy: WEB, packet: { ...udp(way, 9).packet, hopLimit: 1 } });
      await until(
        "the node says that the packet's time is over",
        () =>
          rig.take().some(({ link, bytes }) =>
            link === WEB && bytes[family === 4 ? 20 : 40] === (family === 4 ? 11 : 3)
          ),
      );
    }
    assertEquals(await countDrops(), 0);
    const forged = { from: addressOf(OF[CLIENT][6]), to: addressOf(OF[WEB][6]), protocol: 58, hopLimit: 255 };
    const advertisement = new Uint8Array([136, 0, 0, 0, 0x20, 0, 0, 0, ...target]);
    const news: WirePacket = withChecksum({ ...forged, body: advertisement });
    await expectAll(rig, [["another pod's word on the link", { cameBy: CLIENT, packet: news }, false]]);
  });
});
