import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseCniArgs } from "./cni_args.ts";
import { CniError } from "./cni_error.ts";

const POD = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0.a;K8S_POD_UID=7f3e";

Deno.test("parseCniArgs() reads the pod in any order of keys", () => {
  const pod = { namespace: "default", name: "web-0.a", uid: "7f3e" };
  assertEquals(parseCniArgs(POD), pod);
  assertEquals(parseCniArgs(`${POD.split(";").reverse().join(";")};IgnoreUnknown=1;FOO=bar`), pod);
  assertEquals(parseCniArgs(`K8S_POD_INFRA_CONTAINER_ID=${"a".repeat(64)};${POD}`), pod);
});

Deno.test("parseCniArgs() finds no pod where none is named", () => {
  assertEquals(parseCniArgs(""), undefined);
  assertEquals(parseCniArgs("IgnoreUnknown=true;A=b"), undefined);
});

Deno.test("parseCniArgs() refuses what libcni refuses, and names key, value and rule", () => {
  const bad: [string, string][] = [
    ["FOO=bar", 'CNI_ARGS "FOO"'],
    ["IgnoreUnknown=0;FOO=bar", 'CNI_ARGS "FOO"'],
    ["IgnoreUnknown=1;FOO", "KEY=VALUE"],
    ["IgnoreUnknown=1;A=b=c", "KEY=VALUE"],
    ["IgnoreUnknown=maybe", "must be 0, 1, true or false"],
    ["K8S_POD_NAMESPACE=default;K8S_POD_NAME=a", "K8S_POD_UID"],
    [POD.replace("default", "De/fault"), "DNS-1123 label"],
    [POD.replace("default", "a".repeat(64)), "DNS-1123 label"],
    [POD.replace("web-0.a", "web..a"), "DNS-1123 subdomain"],
    [POD.replace("7f3e", "a/../b"), "CNI_ARGS K8S_POD_UID"],
    ["constructor=1", 'CNI_ARGS "constructor"'],
  ];
  for (const [text, part] of bad) {
    const error = assertThrows(() => parseCniArgs(text), CniError);
    assertEquals(error.code, 4, text);
    assertStringIncludes(error.message, part);
  }
});
