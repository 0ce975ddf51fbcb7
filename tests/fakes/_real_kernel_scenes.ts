/** The contract on a real kernel; run by real_kernel_linux_test.ts in a namespace of its own. */
import { assertEquals } from "@std/assert";
import { expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { netnsAt } from "../../src/host/netns_at.ts";
import type { Attachment } from "../../src/link/attachment_driver.ts";
import { planPodEnd } from "../../src/link/plan_attachment.ts";
import { createAttachmentDriver } from "../../src/link/system_attachment_driver.ts";
import { createRouteDriver } from "../../src/route/system_route_driver.ts";
import { createPacketGuard } from "../../src/nft/system_packet_guard.ts";
import { createTextTable } from "../../src/nft/system_text_table.ts";
import { IP, NFT, SYSCTL_DIR } from "../../src/paths/paths.ts";
import { createSysctlTree } from "../../src/sysctl/sysctl_tree.ts";
import { expectOwnNamespace } from "../lab/in_namespace.ts";
import { DRIVER_CONTRACT, GUARD_CONTRACT } from "./_driver_contract.ts";
import { RealRouteBench } from "./_real_routes.ts";
import { ROUTE_CONTRACT } from "./_route_contract.ts";
import { TEXT_TABLE_CONTRACT } from "./_text_table_contract.ts";

expectOwnNamespace();

const runner = createSystemRunner();

Deno.test("the contract that the kernel in memory keeps is the real one's", async (t) => {
  const sysctls = createSysctlTree(SYSCTL_DIR);
  const driver = createAttachmentDriver({ runner, ip: IP, sysctls, nodePid: Deno.pid, netnsAt });
  const bench = {
    driver,
    openGuard: () => createPacketGuard({ runner, nft: NFT }),
    addNamespace: async (path: string): Promise<void> => {
      await runner.run([IP, "netns", "add", path.slice("/run/netns/".length)]);
    },
    cutOff: async (attachment: Attachment): Promise<void> => {
      const argv = [IP, "-n", attachment.netns.slice("/run/netns/".length), "-batch", "-"] as const;
      expectSuccess(argv, await runner.run(argv, { stdin: `${planPodEnd(attachment, Deno.pid).join("\n")}\n` }));
    },
  };
  for (const { title, verify } of [...DRIVER_CONTRACT, ...GUARD_CONTRACT]) await t.step(title, () => verify(bench));
  await driver.close();
});

Deno.test("the contract that the routes in memory keep is the real driver's", async (t) => {
  const warnings: string[] = [];
  const logger = { warn: (message: string): void => void warnings.push(message) };
  const bench = new RealRouteBench({ runner, openRoutes: () => createRouteDriver({ runner, ip: IP, logger }) });
  for (const { title, verify } of ROUTE_CONTRACT) await t.step(title, () => verify(bench));
  assertEquals(warnings, []);
});

Deno.test("the contract that the table in memory keeps is the real driver's", async (t) => {
  const nft = async (...command: readonly string[]): Promise<void> => {
    const argv = [NFT, ...command] as const;
    expectSuccess(argv, await runner.run(argv));
  };
  const bench = {
    open: () => createTextTable({ runner, nft: NFT, table: "inet flock-policy" }),
    deleteTable: () => nft("delete table inet flock-policy"),
    meddle: (command: string) => nft(command),
  };
  for (const { title, verify } of TEXT_TABLE_CONTRACT) await t.step(title, () => verify(bench));
});
