/** Files, processes, log lines and status: what is left behind, or says otherwise. */
import { assertEquals } from "@std/assert";
import { ANYCAST, EXPECTED, LINK } from "./_well.ts";
import { judgeFiles } from "./files.ts";
import { judgeLog } from "./logs.ts";
import { judgeProcesses, type ProcessSight, sortProcesses } from "./processes.ts";
import { judgeStatus } from "./status.ts";

const FILES = [
  "/run/flock/agent.sock",
  "/run/flock/boot_id",
  "/etc/flock/bird/bird.conf",
  "/var/lib/flock/allocations.json",
  "/var/lib/flock/nodeconfig.json",
  "/var/lib/flock/policies.json",
  "/var/lib/flock/prefixes.json",
  "/etc/cni/net.d/01-flock.conflist",
];

Deno.test("judgeFiles() names files set aside or temporary, deletions that no agent obeyed, and what is missing", () => {
  assertEquals(judgeFiles(FILES), []);
  for (
    const path of [
      "/var/lib/flock/allocations.json.corrupt-1",
      "/etc/flock/bird/bird.conf.new",
      "/run/flock/deleted/x",
      "/etc/cni/net.d/01-flock.conflist.tmp",
    ]
  ) {
    assertEquals(judgeFiles([...FILES, path]), [`files: ${path} is too much`]);
  }
  assertEquals(judgeFiles(FILES.slice(1)), ["files: /run/flock/agent.sock is missing"]);
});

const LISTING = `
    1     0 S    sleep infinity
   48     0 SL   /usr/sbin/bird -f -c /etc/flock/bird/bird.conf
   52     0 Sl   deno run main.mjs agent --kubeconfig /etc/flock/kubeconfig --node node-a
   81    52 S    /usr/sbin/ip -o -d monitor label link address route neigh
   82     1 S    /usr/sbin/nft monitor
   83    52 Z    [ip] <defunct>
`;
const USE = { fds: 40, residentMiB: 100, threads: 6 };
const WELL: ProcessSight = {
  ...{
    agent: USE,
    bird: USE,
    sysctls: ["ipv4/ip_forward", `ipv4/conf/${LINK}/forwarding`],
    children: ["ip"],
    zombies: [],
    orphans: [],
    agents: ["agent"],
    plugins: 0,
  },
};

Deno.test("sortProcesses() tells the agent's children, zombies, and tools whose agent is gone", () => {
  assertEquals(sortProcesses(LISTING), {
    agents: ["deno run main.mjs agent --kubeconfig /etc/flock/kubeconfig --node node-a"],
    children: ["/usr/sbin/ip -o -d monitor label link address route neigh", "[ip] <defunct>"],
    orphans: ["/usr/sbin/nft monitor"],
    zombies: ["[ip] <defunct>"],
  });
});

Deno.test("judgeProcesses() names what is left, and an agent that takes too much", () => {
  assertEquals(judgeProcesses(WELL, EXPECTED), []);
  const wrongs: [Partial<ProcessSight>, string][] = [
    [{ zombies: ["[ip]"] }, "zombie: [ip]"],
    [{ orphans: ["/usr/sbin/nft monitor"] }, "a tool that no agent waits for: /usr/sbin/nft monitor"],
    [{ agents: ["a", "b"] }, "agents: 2, not one"],
    [
      { sysctls: [...WELL.sysctls, "ipv4/conf/flock0badc0de/forwarding (deleted)"] },
      "sysctls that the agent has open: ipv4/conf/flock0badc0de/forwarding (deleted) is too much",
    ],
    [
      { sysctls: [...WELL.sysctls, "ipv4/ip_forward"] },
      "sysctls that the agent has open: ipv4/ip_forward is there 2 times",
    ],
    [{ plugins: 1 }, "plugins that nobody called: 1"],
    [{ agent: { ...USE, fds: 65 } }, "agent: fds 65, at most 64"],
    [{ agent: { ...USE, residentMiB: 201 } }, "agent: residentMiB 201, at most 200"],
    [{ children: Array<string>(13).fill("ip") }, "agent: children 13, at most 12"],
  ];
  for (const [part, line] of wrongs) assertEquals(judgeProcesses({ ...WELL, ...part }, EXPECTED), [line]);
});

Deno.test("judgeLog() names a stack trace and a request that failed for no reason of its own", () => {
  assertEquals(judgeLog(['{"level":"info","message":"repaired"}']), []);
  assertEquals(judgeLog(['{"level":"error","message":"request failed"}', "error: Uncaught"]).length, 2);
});

Deno.test("judgeStatus() wants what is advertised, all conditions and both sessions", () => {
  const well = {
    advertised: [...EXPECTED.prefixes, "198.18.255.1/32", "2001:db8:a::1/128"],
    anycast: ANYCAST.map((address) => `${address} by default/pod-3`),
    conditions: ["BGPEstablished=True", "PolicyInSync=True", "Ready=True"],
    peers: ["192.0.2.1 Established", "2001:db8:1::1 Established"],
  };
  assertEquals(judgeStatus(well, EXPECTED), []);
  assertEquals(judgeStatus({ ...well, advertised: [] }, EXPECTED).length, 4);
  assertEquals(judgeStatus({ ...well, anycast: well.anycast.slice(1) }, EXPECTED), [
    "anycast addresses in status: 198.18.255.1 by default/pod-3 is missing",
  ]);
  assertEquals(judgeStatus({ ...well, conditions: ["PolicyInSync=True", "Ready=True"] }, EXPECTED), [
    "conditions: BGPEstablished=True is missing",
  ]);
  assertEquals(judgeStatus({ ...well, peers: well.peers.slice(1) }, EXPECTED), [
    "peers in status: 192.0.2.1 Established is missing",
  ]);
});
