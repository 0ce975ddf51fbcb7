import { assertEquals } from "@std/assert";
import type { Pod } from "../pod/pod.ts";
import { podOf } from "./pod_of.ts";

const POD: Pod = {
  ...{ namespace: "ns", name: "web", uid: "u1", image: "", hostNetwork: false, hasHostPort: false },
  ...{
    ips: ["203.0.113.2", "2001:db8::2"],
    ready: true,
    terminating: false,
    annotations: new Map(),
    labels: new Map(),
    ports: [],
  },
};
const PODS = new Map([["ns/web", POD]]);

Deno.test("podOf() goes by name and UID, and by addresses only where no pod is recorded", () => {
  const pod = { namespace: "ns", name: "web", uid: "u1" };
  assertEquals(podOf({ pod }, PODS), POD);
  assertEquals(podOf({ pod: { ...pod, uid: "u2" }, ipv4: "203.0.113.2" }, PODS), undefined);
  assertEquals(podOf({ ipv4: "203.0.113.2" }, PODS), POD);
  assertEquals(podOf({ ipv6: "2001:db8::2", ipv4: "203.0.113.3" }, PODS), POD);
  assertEquals(podOf({ ipv4: "203.0.113.3" }, PODS), undefined);
  assertEquals(podOf({ ipv4: "203.0.113.2" }, new Map([["ns/web", { ...POD, hostNetwork: true }]])), undefined);
  assertEquals(podOf({}, PODS), undefined);
});
