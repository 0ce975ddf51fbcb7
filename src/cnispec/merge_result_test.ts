import { assertEquals } from "@std/assert";
import { mergeResult } from "./merge_result.ts";

const OWN = {
  cniVersion: "1.0.0",
  interfaces: [{ name: "flock01234567" }, { name: "eth0", sandbox: "/run/netns/a" }],
  ips: [{ address: "203.0.113.5/32", interface: 1 }],
  routes: [{ dst: "0.0.0.0/0" }],
  dns: {},
};

Deno.test("mergeResult() puts what flock made behind what was there, and keeps indices right", () => {
  const previous = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "dummy0", sandbox: "/run/netns/a", "x-known-to-nobody": 1 }],
    ips: [{ address: "192.0.2.7/24", interface: 0 }],
    routes: [{ dst: "198.51.100.0/24", priority: 7 }],
    dns: { nameservers: ["192.0.2.53"] },
    "x-known-to-nobody": true,
  };
  assertEquals(mergeResult(previous, OWN), {
    ...previous,
    interfaces: [...previous.interfaces, ...OWN.interfaces],
    ips: [...previous.ips, { address: "203.0.113.5/32", interface: 2 }],
    routes: [...previous.routes, ...OWN.routes],
  });
});

Deno.test("mergeResult() adds to nothing what flock made alone", () => {
  assertEquals(mergeResult({ cniVersion: "1.0.0", ips: null }, OWN), OWN);
});
