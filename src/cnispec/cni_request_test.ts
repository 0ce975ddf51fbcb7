import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { CniError } from "./cni_error.ts";
import { parseRpcRequest } from "./cni_request.ts";

const CONTAINER = "0123456789abcdef";
const CONFIG = { cniVersion: "1.1.0", name: "flock", type: "flock" };
const POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=0a-1";

function request(verb: string, change: { environment?: Record<string, string>; config?: unknown } = {}): unknown {
  const environment = {
    CNI_CONTAINERID: CONTAINER,
    CNI_NETNS: "/run/netns/a",
    CNI_IFNAME: "eth0",
    ...change.environment,
  };
  return { verb, startedAt: 0, environment, config: change.config ?? CONFIG };
}

function refusal(raw: unknown): CniError {
  return assertThrows(() => parseRpcRequest(raw), CniError);
}

Deno.test("parseRpcRequest() reads an ADD of containerd", () => {
  const annotations = { "flock.fritzlab.net/ipv6": "false", "other.example/a": "b" };
  const config = { ...CONFIG, runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations } };
  assertEquals(parseRpcRequest(request("ADD", { config, environment: { CNI_ARGS: POD_ARGS } })), {
    verb: "ADD",
    cniVersion: "1.1.0",
    network: "flock",
    containerId: CONTAINER,
    ifname: "eth0",
    netns: "/run/netns/a",
    pod: { namespace: "default", name: "web-0", uid: "0a-1" },
    podAnnotations: new Map([["flock.fritzlab.net/ipv6", "false"]]),
  });
});

Deno.test("parseRpcRequest() ignores what it does not know", () => {
  const config = { ...CONFIG, "cni.dev/foo": 1, args: { cni: {} }, runtimeConfig: { mac: 1 }, unknown: [{}] };
  assertEquals(parseRpcRequest(request("STATUS", { config })), {
    verb: "STATUS",
    cniVersion: "1.1.0",
    network: "flock",
  });
});

Deno.test("parseRpcRequest() refuses container IDs that are no plain names", () => {
  for (const id of ["../x", "a/b", "", "-x", "x".repeat(300), "\u00e4", "a\n", "a\nb", "_x"]) {
    for (const verb of ["ADD", "DEL", "CHECK"]) {
      assertEquals(refusal(request(verb, { environment: { CNI_CONTAINERID: id } })).code, 4, `${verb} ${id}`);
    }
  }
});

Deno.test("parseRpcRequest() refuses interface names that are none", () => {
  for (const name of ["a123456789012345", ".", "..", "a/b", "a:b", "a b", "a\tb", "eth%d", "a@b", "", "-a"]) {
    assertEquals(refusal(request("ADD", { environment: { CNI_IFNAME: name } })).code, 4, name);
  }
});

Deno.test("parseRpcRequest() refuses a netns that is no plain path of a place for them", () => {
  const lost = [
    "netns",
    "",
    "/",
    "/etc/passwd",
    "/run/netns",
    "/run/netns/",
    "/run/netns/a/b",
    "/run/containerd/a",
    "/proc/1/ns/mnt",
  ];
  const detours = [
    "/run/netns/..",
    "/run/netns/.",
    "/run/netns/../netns/a",
    "/run//netns/a",
    "/run/containerd/../netns/a",
  ];
  const words = ["\n", " b", ";", "'", "\0", "\u2028"].map((text) => `/run/netns/a${text}`);
  for (const netns of [...lost, ...detours, ...words, `/run/netns/${"a".repeat(256)}`]) {
    assertEquals(refusal(request("ADD", { environment: { CNI_NETNS: netns } })).code, 4, netns);
  }
});

Deno.test("parseRpcRequest() takes the paths of network namespaces that runtimes use", () => {
  const uuid = "cni-5f0e7c1a-6b9e-4c0f-9f7b-2b9a1c0d3e4f";
  const byName = ["/var/run/netns/", "/run/netns/", "/run/containerd/io.containerd.grpc.v1.cri/netns/"].map((dir) =>
    dir + uuid
  );
  for (const netns of [...byName, "/proc/4711/ns/net", "/proc/self/ns/net"]) {
    const parsed = parseRpcRequest(request("ADD", { environment: { CNI_NETNS: netns } }));
    assertEquals(parsed.verb === "ADD" && parsed.netns, netns);
  }
});

Deno.test("parseRpcRequest() lets a DEL through whatever else is wrong with it", () => {
  const environment = { CNI_NETNS: "", CNI_ARGS: "K8S_POD_NAME=UPPER;;=" };
  const request_ = request("DEL", { environment, config: { ...CONFIG, prevResult: { ips: 7 } } });
  const base = { verb: "DEL", cniVersion: "1.1.0", network: "flock" };
  assertEquals<unknown>(parseRpcRequest(request_), { ...base, containerId: CONTAINER, ifname: "eth0" });
});

Deno.test("parseRpcRequest() answers code 1 for versions it does not speak and verbs a version lacks", () => {
  const versions = [
    ["ADD", "9.9.9"],
    ["ADD", "0.2.0"],
    ["ADD", undefined],
    ["CHECK", "0.3.1"],
    ["STATUS", "1.0.0"],
    ["GC", "1.0.0"],
  ];
  for (const [verb = "", cniVersion] of versions) {
    assertEquals(refusal(request(verb, { config: { ...CONFIG, cniVersion } })).code, 1, `${verb} ${cniVersion}`);
  }
  for (const cniVersion of ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
    assertEquals(parseRpcRequest(request("DEL", { config: { ...CONFIG, cniVersion } })).cniVersion, cniVersion);
  }
});

Deno.test("parseRpcRequest() names field, value and rule of a bad configuration", () => {
  const bad: [number, string, unknown][] = [
    [6, "no JSON object", []],
    [6, "no JSON object", null],
    [6, "must be text", { ...CONFIG, cniVersion: 1 }],
    [7, "name", { ...CONFIG, name: undefined }],
    [7, 'name "-x"', { ...CONFIG, name: "-x" }],
    [7, 'type "../sh"', { ...CONFIG, type: "../sh" }],
    [7, "prevResult.ips", { ...CONFIG, prevResult: { ips: {} } }],
    [7, "pod-annotations", { ...CONFIG, runtimeConfig: { "io.kubernetes.cri.pod-annotations": [1] } }],
    ...["", "\x1b[2J", "a b", "x".repeat(1 << 20)].map((name): [number, string, Record<string, unknown>] => {
      const annotations = { [`flock.fritzlab.net/${name}`]: "x" };
      return [7, "can name an annotation", {
        ...CONFIG,
        runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations },
      }];
    }),
  ];
  for (const [code, text, config] of bad) {
    const error = refusal({ ...Object(request("ADD")), config });
    assertEquals(error.code, code, text);
    assertStringIncludes(error.message, text);
  }
});

Deno.test("parseRpcRequest() refuses a configuration that nests too deep", () => {
  const deep = JSON.parse(`${"[".repeat(40)}${"]".repeat(40)}`);
  assertStringIncludes(refusal(request("ADD", { config: { ...CONFIG, deep } })).message, "nests deeper than 32");
});

Deno.test("parseRpcRequest() finds nothing behind __proto__", () => {
  const config = JSON.parse('{"cniVersion":"1.1.0","type":"flock","__proto__":{"name":"flock"}}');
  assertEquals(refusal(request("ADD", { config })).code, 7);
});

Deno.test("parseRpcRequest() reads the three shapes of valid attachments and no other", () => {
  const gc = (attachments: unknown): unknown =>
    request("GC", { config: { ...CONFIG, "cni.dev/valid-attachments": attachments } });
  const read = (attachments: unknown): unknown => {
    const parsed = parseRpcRequest(gc(attachments));
    return parsed.verb === "GC" ? parsed.validAttachments : parsed;
  };
  const entry = { containerID: CONTAINER, ifname: "eth0" };
  const read_ = { containerId: CONTAINER, ifname: "eth0" };
  assertEquals(read(null), null);
  assertEquals(read([]), []);
  assertEquals(read([entry, entry, 7, null, "x", {}, { containerID: "../x", ifname: "eth0" }]), [read_, read_]);
  assertEquals(refusal(gc([{ containerID: CONTAINER }])).code, 7);
  assertEquals(refusal(gc({})).code, 7);
  assertEquals(refusal(request("GC")).code, 7);
  const old = parseRpcRequest(request("GC", { config: { ...CONFIG, "cni.dev/attachments": [entry] } }));
  assertEquals(old.verb === "GC" ? old.validAttachments : old, [read_]);
});

Deno.test("parseRpcRequest() reads prevResult of any version for CHECK, and refuses a CHECK without one", () => {
  const ips = [{ version: "4", address: "203.0.113.5/32", interface: 1 }, { address: "2001:db8::5/128" }];
  const interfaces = [{ name: "flock1", mac: "aa" }, { name: "eth0", sandbox: "/run/netns/a", mtu: 1500 }];
  const prevResult = {
    cniVersion: "0.4.0",
    interfaces,
    ips,
    routes: [{ dst: "::/0", gw: "fe80::1" }, { dst: "0.0.0.0/0" }],
    dns: {},
  };
  const check = parseRpcRequest(request("CHECK", { config: { ...CONFIG, prevResult } }));
  assertEquals(check.verb === "CHECK" ? check.previous : undefined, {
    document: prevResult,
    interfaces: [{ name: "flock1", mac: "aa" }, { name: "eth0", sandbox: "/run/netns/a", mtu: 1500 }],
    ips: [{ address: "203.0.113.5/32", interface: 1 }, { address: "2001:db8::5/128" }],
    routes: [{ dst: "::/0", gw: "fe80::1" }, { dst: "0.0.0.0/0" }],
  });
  assertEquals(refusal(request("CHECK")).code, 7);
});
