/** The host driver behind a router that is BIRD's radv protocol; run by system_host_driver_linux_test.ts. */
import { assertEquals } from "@std/assert";
import { until } from "../../tests/lab/until.ts";
import { expectSuccess } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { BIRD, IP, SYSCTL_DIR } from "../paths/paths.ts";
import { createSysctlTree } from "../sysctl/sysctl_tree.ts";
import { createHostDriver } from "./system_host_driver.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";

expectOwnNamespace();

/** Longest that a router may live, should this run be killed. */
const ROUTER_LIFE_S = "60";
const CONFIG = `router id 192.0.2.1;
protocol device {}
protocol radv {
  interface "far*" { min ra interval 3; max ra interval 4; prefix 2001:db8:77::/64 {}; };
}
`;

const runner = createSystemRunner();
const driver = createHostDriver({ runner, ip: IP, sysctls: createSysctlTree(SYSCTL_DIR) });

async function sh(command: string): Promise<string> {
  const argv = ["/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${command}`] as const;
  return expectSuccess(argv, await runner.run(argv)).stdout;
}

/** Two uplinks to one router, in a namespace of its own. */
async function withRouter(test: () => Promise<void>): Promise<void> {
  await sh("ip netns add router");
  for (const name of ["kept", "lost"]) {
    await sh(`ip link add ${name} type veth peer name far${name} netns router
      ip link set ${name} up; ip -n router link set far${name} up`);
  }
  await Deno.writeTextFile("/run/radv.conf", CONFIG);
  const argv = ["/usr/bin/timeout", ROUTER_LIFE_S, IP, "netns", "exec", "router", BIRD, "-f"] as const;
  const router = runner.run([...argv, "-c", "/run/radv.conf", "-s", "/run/radv.ctl", "-P", "/run/radv.pid"], {
    timeoutMs: 60_000,
  });
  try {
    await test();
  } finally {
    await sh("kill $(cat /run/radv.pid)");
    await router;
  }
}

async function advertisedDefault(link: string): Promise<string> {
  return await sh(`ip -6 route show default proto ra dev ${link}`);
}

Deno.test("forwarding leaves a node its router where accept_ra is 2, and takes it where it is not (T-REL-28)", () =>
  withRouter(async () => {
    for (const link of ["kept", "lost"]) {
      await until(`${link} has a default route`, async () => await advertisedDefault(link) !== "", {
        timeoutMs: 20_000,
      });
    }
    const network = await driver.read();
    const known = {
      ...network,
      defaultRoutes: network.defaultRoutes.filter(({ link }) => link === "kept"),
      mtus: new Map([["kept", 1500]]),
    };
    assertEquals(known.defaultRoutes, [{ family: 6, link: "kept", fromRouterAdvertisement: true }]);
    assertEquals(
      network.addresses.filter(({ scope, permanent }) => scope === "global" && permanent),
      [],
      "addresses from advertisements are passing ones",
    );
    await driver.apply({ blackholes: [], families: [6] }, known);
    await sh("ip -6 route del default dev kept");
    await until("kept hears the next one", async () => await advertisedDefault("kept") !== "", { timeoutMs: 20_000 });
    assertEquals(await advertisedDefault("lost"), "");
  }));
