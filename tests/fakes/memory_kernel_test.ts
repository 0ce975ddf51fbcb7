import type { Attachment } from "../../src/link/attachment_driver.ts";
import { DRIVER_CONTRACT, GUARD_CONTRACT } from "./_driver_contract.ts";
import { MemoryGuard, type MemoryTables } from "./memory_guard.ts";
import { MemoryKernel } from "./memory_kernel.ts";

const driver = new MemoryKernel();
const tables: MemoryTables = { grants: undefined };
const bench = {
  driver,
  openGuard: () => new MemoryGuard(tables),
  addNamespace: (path: string) => Promise.resolve(void driver.namespaces.add(path)),
  cutOff: ({ hostLink, netns }: Attachment) => Promise.resolve(void driver.bare.set(hostLink, netns)),
};

for (const { title, verify } of [...DRIVER_CONTRACT, ...GUARD_CONTRACT]) {
  Deno.test(`the kernel in memory: ${title}`, () => verify(bench));
}
