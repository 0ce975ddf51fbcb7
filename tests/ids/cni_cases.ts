import type { Case } from "./case.ts";

/** The plugin as a runtime meets it. */
export const CNI_CASES: readonly Case[] = [
  { id: "T-CNI-01", asks: "each verb, each required variable unset singly: code 4 that names it" },
  {
    id: "T-CNI-02",
    asks: "ADD without NETNS, IFNAME and PATH: one error that names all three",
    decided:
      "SPEC 1.1.0 lets runtimes leave out CNI_PATH but for GC; those that exist set it, and the Go skeleton of plugins demands it",
  },
  { id: "T-CNI-03", asks: "an unknown or empty CNI_COMMAND: code 4" },
  {
    id: "T-CNI-04",
    asks: "VERSION with closed stdin and no other variable: exit 0, the conflist's version among the supported",
  },
  { id: "T-CNI-05", asks: "VERSION under 9.9.9: repeats it, lists ours" },
  { id: "T-CNI-06", asks: "hostile container IDs: code 4, no file or link made" },
  { id: "T-CNI-07", asks: "hostile interface names: code 4" },
  {
    id: "T-CNI-08",
    asks: "configuration not JSON, empty, 10 MB, without or with a bad name, without cniVersion: 6, 6, 6, 7, 7, 1",
  },
  {
    id: "T-CNI-09",
    asks: "stdin unreadable: code 5",
    decided: "a closed stdin is /dev/null by the time Deno runs, which is empty: 6",
  },
  { id: "T-CNI-10", asks: "ADD under each version: the result in its schema" },
  { id: "T-CNI-11", asks: "ADD: both ends, sandbox, MAC, addresses of eth0, both default routes" },
  { id: "T-CNI-12", asks: "ADD where eth0 is there already: error, that one untouched, no address lost" },
  {
    id: "T-CNI-13",
    asks: "ADD twice: never two addresses",
    decided: "the same answer again, since runtimes retry after crashes",
  },
  { id: "T-CNI-14", asks: "CNI_NETNS is the node's own: code 8, node untouched" },
  { id: "T-CNI-15", asks: "CNI_NETNS missing on ADD: an error, nothing allocated after" },
  {
    id: "T-CNI-16",
    asks: "DEL of what was never added, is gone, is no netns, twice, three at once: exit 0, empty stdout",
  },
  {
    id: "T-CNI-17",
    asks: "DEL without an agent: bounded time, no text that means `already gone`",
    decided: "a note that the agent obeys, and success",
  },
  { id: "T-CNI-18", asks: "DEL with a prevResult of another version, or without: exit 0 and freed" },
  { id: "T-CNI-19", asks: "CHECK right after ADD, a hundred times: 0" },
  { id: "T-CNI-20", asks: "CHECK of what is gone or different: an error that names it, nothing repaired" },
  { id: "T-CNI-21", asks: "CHECK under 0.3.1: code 1" },
  {
    id: "T-CNI-22",
    asks: "GC with every shape of list: only the stale goes, absent is refused, errors at the end",
    decided: "null and the empty list free only what has neither netns nor veth",
  },
  { id: "T-CNI-23", asks: "GC while an ADD is under way: kept" },
  {
    id: "T-CNI-24",
    asks: "STATUS: agent up, down, starting, BIRD down, pool full",
    decided:
      "50 only while the agent has no state or no valid NodeConfig, 51 only before the first session of this boot; neither a full pool nor a disk that takes no write fails it, though no ADD succeeds then: the runtime would evict the node's pods",
  },
  { id: "T-CNI-25", asks: "STATUS and GC under 1.0.0: code 1" },
  { id: "T-CNI-26", asks: "plugin killed at every 10 ms of ADD, then DEL, then another ADD: no leak" },
  { id: "T-CNI-27", asks: "every verb with debug logging: stdout is one JSON document or empty" },
  {
    id: "T-CNI-28",
    asks: "no error text that runtimes take for `already gone`",
    decided:
      "one place renders every error, and rewords it; as processes only those ADDs whose namespace is missing or none",
  },
  { id: "T-CNI-29", asks: "runtimeConfig, args, unknown keys, cni.dev/foo: ignored" },
  {
    id: "T-CNI-30",
    asks:
      "chained with portmap, bandwidth, tuning, and second after another: prevResult passes through, DEL in reverse",
  },
  { id: "T-CNI-31", asks: "annotations by way of the runtime: the same effect as the API's" },
  { id: "T-CNI-32", asks: "addresses in the result: IPv4 first, then IPv6, anycast not first" },
  {
    id: "T-CNI-33",
    asks: "110 ADDs at once, then 110 DELs: unique, all freed, in time, memory within budget",
  },
  { id: "T-CNI-34", asks: "VERSION as a process: under 100 ms" },
];
