import type { Screen } from "./screen.ts";
import type { Cast } from "./story.ts";

/** @returns how to look around in a demo that was left running: every command as it can be typed */
export function renderGuide({ lab, red }: Cast, paint: Screen["paint"]): string[] {
  const enter = `${lab.dir}/in`;
  const assets = Deno.env.get("KUBEBUILDER_ASSETS");
  const kubectl = `${assets === undefined ? "" : `${assets}/`}kubectl --kubeconfig ${lab.dir}/kubeconfig`;
  const commands = [
    ["the cluster", `${enter} control-plane ${kubectl} get nodes,pods,nodeconfigs`],
    ["the same without kubectl", `curl --unix-socket ${lab.api.socket} http://lab/api/v1/pods`],
    ["BIRD on a node", `${enter} node-a birdc -s /run/flock/bird.ctl show protocols`],
    ["the router", `${enter} router vtysh -c 'show bgp ipv6 unicast'`],
    ["a shell in pod red", `${enter} node-a ctr -n k8s.io tasks exec -t --exec-id look ${red.sandbox.id} sh`],
    [
      "a node's routes and rules",
      `${enter} node-a ip -6 route; ${enter} node-a nft list table inet flock; ${enter} node-a nft list table arp flock`,
    ],
    ["the client", `${enter} client ping ${red.address(6)}`],
    ["what the agents say", `tail -f ${lab.dir}/logs/node-*-agent.log`],
    ["the end", "deno task demo --down"],
  ] as const;
  return [
    "  It is still running. To look around:",
    ...commands.flatMap(([what, command]) => [`  ${paint(what, "dim")}`, `    ${command}`]),
    "",
  ];
}
