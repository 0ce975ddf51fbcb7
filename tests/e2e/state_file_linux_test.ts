/** The state file's rules on a real disk, with the real agent: what is read, what is refused, what is kept. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { AGENT_SOCKET, IP, RUN_DIR, STATE_DIR, STATE_FILE } from "../../src/paths/paths.ts";
import type { StateDocument } from "../../src/store/state_document.ts";
import { KUBECONFIG, type LabNode } from "../lab/node.ts";
import { exists, until } from "../lab/until.ts";
import { allocationsOf, expectPing, startCluster } from "./_cluster.ts";
import { addSandbox, callPlugin, createSandbox, PLUGIN, type Sandbox } from "./_sandbox.ts";
import { editState, expectExactly, readState, redated } from "./_state.ts";

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
/** Of two addresses each. */
const RANGES = [1, 2, 3].map((n) => `2001:db8:f001::${n}0/127`);
/** A static pod's UID: the API server need not know it. */
const STATIC_UID = "0123456789abcdef0123456789abcdef";
/** The lying `ip` hangs while the one is there, and has been asked when the other is. */
const [HANG, ASKED] = [`${RUN_DIR}/hang`, `${RUN_DIR}/asked`];
const PREVIOUS = `${STATE_FILE}.prev`;
const BOM = "\\357\\273\\277";

/** Each with what becomes of the write before the last. */
const DAMAGES: readonly [title: string, command: string][] = [
  ["empty", `: >${STATE_FILE}; rm ${PREVIOUS}`],
  ["NULs", `head -c 4096 /dev/zero >${STATE_FILE}`],
  ["half JSON", `truncate -s 300 ${STATE_FILE}; cp ${STATE_FILE} ${PREVIOUS}`],
  ["null", `echo null >${STATE_FILE}`],
  ["[]", `echo [] >${STATE_FILE}; : >${PREVIOUS}`],
  ["a BOM", `(printf '${BOM}'; cat ${STATE_FILE}) >${STATE_DIR}/x; mv ${STATE_DIR}/x ${STATE_FILE}; rm ${PREVIOUS}`],
  ["200 MB", `truncate -s 200M ${STATE_FILE}`],
  ["an edit by hand", `sed -i s/203.0.113/203.0.112/ ${STATE_FILE}; rm ${PREVIOUS}`],
];

const sh = (node: LabNode, script: string): Promise<string> => node.output(["sh", "-c", script]);

Deno.test("whatever is in place of the state file, no pod is cut off and no address is given twice", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const pods = await Promise.all([addSandbox(node), addSandbox(node)]);
  const expectWhole = async (context: string): Promise<void> => {
    pods.push(await addSandbox(node));
    const addresses = pods.flatMap((pod) => pod.addresses);
    assertEquals(new Set(addresses).size, addresses.length, context);
    await expectExactly(node, pods, context);
    await Promise.all(addresses.map((address) => expectPing(lab.client, address)));
  };
  for (const [title, command] of DAMAGES) {
    await t.step(`${title}: set aside and rebuilt (T-REL-08)`, async () => {
      await restartAfter(node, () => sh(node, command));
      await expectWhole(title);
    });
  }
  await t.step("the file of another node is set aside, one of another machine's boot is void (T-REL-11)", async () => {
    const foreign = {
      ipv4: "203.0.113.60",
      ipv6: "2001:db8:f001::60",
      containerId: "stranger",
      hostLink: "flock00000001",
    };
    for (const owner of [{ nodeName: "node-b" }, { bootId: crypto.randomUUID() }]) {
      await restartAfter(node, () =>
        editState(node, (document) => {
          const [known] = document.state.allocations.values();
          assert(known !== undefined);
          const allocations = new Map([["stranger/eth0", { ...known, ...foreign }]]);
          return { ...document, ...owner, state: { ...document.state, allocations } };
        }).then(() => sh(node, `cp ${STATE_FILE} ${PREVIOUS}`)));
      await expectWhole(JSON.stringify(owner));
    }
  });
  await t.step("what was damaged is kept aside", async () => {
    assertEquals((await sh(node, `ls ${STATE_DIR} | grep -c corrupt`)).trim(), `${DAMAGES.length + 1}`);
    await sh(node, `find ${STATE_DIR} -name '*.corrupt-*' -delete`);
  });
  await t.step("a lock, a socket and unfinished writes of dead agents are in nobody's way (T-REL-10)", async () => {
    await restartAfter(node, async () => {
      assert(await exists(node.outside(AGENT_SOCKET)), "a killed agent leaves its socket");
      await sh(node, `echo 1 >${RUN_DIR}/agent.lock; echo half >${STATE_DIR}/.allocations.json.tmp-1`);
    });
    await expectWhole("leftovers");
    assertEquals((await sh(node, `ls -A ${STATE_DIR}`)).match(/tmp/), null);
  });
});

Deno.test("the state outlives releases, clocks and disks", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const stays = await addSandbox(node);
  await t.step("fields of a newer release survive a rewrite, those of the file and those of its entries", async () => {
    const goes = await addSandbox(node);
    await goes.remove();
    await restartAfter(node, () =>
      editState(node, (document) => {
        const { allocations, resting, tombstones } = document.state;
        const state = {
          ...document.state,
          allocations: new Map([...allocations].map(([key, each]) => [key, { ...each, policies: ["2001:db8::5"] }])),
          resting: resting.map((each) => ({ ...each, why: "DEL" })),
          tombstones: tombstones.map((each) => ({ ...each, by: "newer" })),
        };
        return { ...document, state, unknownFields: { claims: [{ ip: "2001:db8::5" }] } };
      }));
    await (await addSandbox(node)).remove();
    const text = await node.read(STATE_FILE);
    for (
      const kept of ['"policies":["2001:db8::5"]', '"why":"DEL"', '"by":"newer"', '"claims":[{"ip":"2001:db8::5"}]']
    ) {
      assert(text.includes(kept), `${kept} is not in ${text}`);
    }
  });
  await t.step("a newer version of the file is left alone: the agent does not start, pods and DELs go on", async () => {
    const goes = await addSandbox(node);
    await node.stopAgent();
    const known = await node.read(STATE_FILE);
    const newer = known.replace('{"version":1,', '{"version":2,');
    await node.write(STATE_FILE, newer);
    const { code, stderr } = await node.exec([PLUGIN, "agent", "--kubeconfig", KUBECONFIG, "--node", node.name]);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /Cannot use state file "\/var\/lib\/flock\/allocations\.json": it is of version 2, this release knows 1/,
    );
    assertEquals(await node.read(STATE_FILE), newer);
    assertEquals((await callPlugin(node, "STATUS")).code, 50);
    await expectPing(lab.client, stays.address(6));
    await goes.remove();
    await node.write(STATE_FILE, known);
    await node.startAgent();
    await until("the DEL is done", async () => (await allocationsOf(node)).length === 1);
    await expectExactly(node, [stays], "after the newer release came back");
  });
  await t.step("addresses rest over restarts, and the longest free goes first (T-REL-03)", async () => {
    const [first, second] = await expectRest(node);
    await Promise.all(second.map((pod) => pod.remove()));
    await restartAfter(node);
    const third = await Promise.all(RANGES.map((range) => addIn(node, range)));
    assertEquals(third.map((pod) => pod.address(6)), first.map((pod) => pod.address(6)));
    await Promise.all(third.map((pod) => pod.remove()));
  });
  for (const [title, ms] of [["ten years ahead", -10 * YEAR_MS], ["a day behind", DAY_MS]] as const) {
    await t.step(
      `a clock that is set ${title} frees nothing, ends no rest and keeps no container from coming back`,
      async () => {
        const goes = await addSandbox(node);
        await goes.call("DEL");
        const ranges = RANGES.map((range) => range.replace("::", ms > 0 ? "::1:" : "::2:"));
        const [, second] = await expectRest(node, { ranges, change: (document) => redated(document, ms) });
        assertEquals((await goes.call("ADD")).exit, 0);
        await Promise.all([goes, ...second].map((pod) => pod.remove()));
        await expectExactly(node, [stays], title);
      },
    );
  }
  await t.step("a disk that turns read-only fails ADDs and nothing else, over a restart too", async () => {
    const [goes, waits] = await Promise.all([addSandbox(node), addSandbox(node)]);
    await node.output(["mount", "-o", "remount,ro", STATE_DIR]);
    await goes.remove();
    await restartAfter(node);
    await waits.remove();
    const refused = await (await createSandbox(node)).call("ADD");
    assertEquals(refused.code, 5, refused.msg);
    assertMatch(refused.msg, /Cannot write state file .*Read-only file system/);
    await expectPing(lab.client, stays.address(4));
    assertEquals((await readState(node)).state.allocations.size, 3);
    await node.output(["mount", "-o", "remount,rw", STATE_DIR]);
    const next = await addSandbox(node);
    assert(!(await allocationsOf(node)).some(({ containerId }) => containerId === waits.id));
    await Promise.all([next.call("DEL"), goes.call("DEL")]);
  });
  await t.step(
    "STATUS waits until the kernel has answered; one that hangs or lists nothing frees nothing (T-REL-04)",
    async () => {
      const before = await allocationsOf(node);
      await lieAboutLinks(node);
      await node.stopAgent("SIGKILL");
      await sh(node, `touch ${HANG}`);
      await node.startAgent({ wait: false });
      await until("the agent asks the kernel", () => exists(node.outside(ASKED)));
      const status = callPlugin(node, "STATUS");
      const silence = new Promise((resolve) => setTimeout(resolve, 1000, "no answer"));
      assertEquals(await Promise.race([status, silence]), "no answer");
      assertEquals(await allocationsOf(node), before);
      await sh(node, `rm ${HANG}`);
      assertEquals((await status).exit, 0);
      await restartAfter(node, () => sh(node, `umount ${IP}`));
      assertEquals(await allocationsOf(node), before);
      for (const family of [4, 6] as const) await expectPing(lab.client, stays.address(family));
    },
  );
});

/** Kills the agent, does what is to be done meanwhile, and starts it. */
async function restartAfter(node: LabNode, meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  await node.stopAgent("SIGKILL");
  await meanwhile();
  await node.startAgent();
}

function addIn(node: LabNode, range: string): Promise<Sandbox> {
  const annotations = { "flock.fritzlab.net/cidr6": range, "flock.fritzlab.net/ipv4": "false" };
  const pod = { name: `web-${crypto.randomUUID()}`, uid: STATIC_UID };
  return addSandbox(node, { pod, config: { runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations } } });
}

/**
 * Of two addresses the one that was freed rests over a restart, three times at once: chance would need luck.
 *
 * @returns the pods of before the restart, and those of after it, which still run
 */
async function expectRest(
  node: LabNode,
  { ranges = RANGES, change = (document) => document }: {
    ranges?: readonly string[];
    change?: (document: StateDocument) => StateDocument;
  } = {},
): Promise<[first: Sandbox[], second: Sandbox[]]> {
  const first = await Promise.all(ranges.map((range) => addIn(node, range)));
  await Promise.all(first.map((pod) => pod.remove()));
  await restartAfter(node, () => editState(node, change));
  const second = await Promise.all(ranges.map((range) => addIn(node, range)));
  second.forEach((pod, n) => assert(pod.address(6) !== first[n]?.address(6), "an address did not rest"));
  return [first, second];
}

/** From now on `ip` names no veth, and takes as long over it as a file is there. */
async function lieAboutLinks(node: LabNode): Promise<void> {
  const script = [
    "#!/bin/sh",
    `case "$*" in "-j -d link show type veth") touch ${ASKED}; while [ -e ${HANG} ]; do sleep 0.05; done; echo "[]"; exit;; esac`,
    `exec ${RUN_DIR}/ip "$@"`,
  ];
  await node.write(`${RUN_DIR}/lying-ip`, `${script.join("\n")}\n`);
  await sh(node, `cp ${IP} ${RUN_DIR}/ip; chmod 755 ${RUN_DIR}/lying-ip; mount --bind ${RUN_DIR}/lying-ip ${IP}`);
}
