import { assertEquals } from "@std/assert";
import type { HostAddress } from "../host/host_driver.ts";
import { parseAddress } from "../ip/address.ts";
import type { MetricsConfig } from "../nodeconfig/node_config.ts";
import { pageEndpoints } from "./page_endpoints.ts";

function hostOf(text: string, scope: HostAddress["scope"] = "global"): HostAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`no address: ${text}`);
  return { address, length: 24, link: "up0", permanent: true, scope };
}

const ADDRESSES = [hostOf("192.0.2.10"), hostOf("2001:db8::a"), hostOf("fe80::1", "link")];

function texts(metrics: MetricsConfig | undefined): string[] {
  const config = metrics === undefined ? {} : { metrics };
  return pageEndpoints(config, { addresses: ADDRESSES }).map(({ hostname, port }) => `${hostname} ${port}`);
}

Deno.test("pageEndpoints() always has the loopback that kubelet asks, and beside it what the NodeConfig says", () => {
  const local = "127.0.0.1 9469";
  assertEquals(pageEndpoints(undefined, undefined), [{ hostname: "127.0.0.1", port: 9469 }]);
  assertEquals(texts(undefined), [local]);
  assertEquals(texts({ bind: "Loopback", port: 9469, perPod: false }), [local]);
  assertEquals(texts({ bind: "Loopback", port: 9500, perPod: false }), [local, "127.0.0.1 9500"]);
  assertEquals(texts({ bind: "Node", port: 9469, perPod: false }), [local, "192.0.2.10 9469", "2001:db8::a 9469"]);
});
