import { assertEquals, assertNotMatch } from "@std/assert";
import { CNI_VERSIONS } from "./cni_version.ts";
import { CniError } from "./cni_error.ts";
import { type AddOutcome, renderError, renderResult, renderVersions } from "./result.ts";

const OUTCOME: AddOutcome = {
  cniVersion: "1.1.0",
  hostLink: "flock01234567",
  hostMac: "02:00:00:00:00:01",
  ifname: "eth0",
  podMac: "02:00:00:00:00:02",
  netns: "/run/netns/a",
  mtu: 9000,
  ipv4: "203.0.113.5",
  ipv6: "2001:db8::5",
};

Deno.test("renderResult() makes a 1.1.0 result, IPv4 first", () => {
  assertEquals(renderResult(OUTCOME), {
    cniVersion: "1.1.0",
    interfaces: [
      { name: "flock01234567", mac: "02:00:00:00:00:01", mtu: 9000 },
      { name: "eth0", mac: "02:00:00:00:00:02", sandbox: "/run/netns/a", mtu: 9000 },
    ],
    ips: [
      { address: "203.0.113.5/32", gateway: "169.254.1.1", interface: 1 },
      { address: "2001:db8::5/128", gateway: "fe80::1", interface: 1 },
    ],
    routes: [{ dst: "0.0.0.0/0", gw: "169.254.1.1" }, { dst: "::/0", gw: "fe80::1" }],
    dns: {},
  });
});

Deno.test("renderResult() uses each version's own keys", () => {
  for (const cniVersion of CNI_VERSIONS) {
    const text = JSON.stringify(renderResult({ ...OUTCOME, cniVersion }));
    assertEquals(text.includes('"mtu"'), cniVersion === "1.1.0", cniVersion);
    assertEquals(text.includes('"version":"4"'), cniVersion < "1.0.0", cniVersion);
    assertEquals(text.includes(`"cniVersion":"${cniVersion}"`), true);
  }
});

Deno.test("renderResult() leaves out a family that the pod does not have", () => {
  const { ipv4: _, ...onlyIpv6 } = OUTCOME;
  const { ips, routes } = renderResult(onlyIpv6);
  assertEquals(ips, [{ address: "2001:db8::5/128", gateway: "fe80::1", interface: 1 }]);
  assertEquals(routes, [{ dst: "::/0", gw: "fe80::1" }]);
});

Deno.test("renderVersions() repeats the version that was asked for", () => {
  assertEquals(renderVersions("9.9.9"), { cniVersion: "9.9.9", supportedVersions: CNI_VERSIONS });
  assertEquals(renderVersions(undefined)["cniVersion"], "1.1.0");
});

Deno.test("renderError() never says what runtimes take for `already gone` (T-CNI-28)", () => {
  const texts = ["open /x: No such file or directory", "netns NOT FOUND", "pod not found: no such file or directory"];
  for (const text of texts) {
    const document = renderError(new CniError(4, text, { details: text }), { version: "0.4.0" });
    assertNotMatch(JSON.stringify(document), /not found|no such file or directory/i);
    assertEquals([document["cniVersion"], document["code"]], ["0.4.0", 4]);
  }
});

Deno.test("renderError() calls everything unexpected an internal error", () => {
  assertEquals(renderError(new TypeError("x is not a function")), {
    cniVersion: "1.1.0",
    code: 999,
    msg: "x is not a function",
    details: "",
  });
});
