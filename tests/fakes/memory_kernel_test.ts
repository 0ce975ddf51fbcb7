import { DRIVER_CONTRACT, GUARD_CONTRACT } from "./_driver_contract.ts";
import { MemoryGuard, type MemoryTables } from "./memory_guard.ts";
import { MemoryKernel } from "./memory_kernel.ts";

const driver = new MemoryKernel();
const tables: MemoryTables = { grants: undefined };
const bench = {
  driver,
  openGuard: () => new MemoryGuard(tables),
  addNamespace: (path: string) => Promise.resolve(void driver.namespaces.add(path)),
};

for (const { title, verify } of [...DRIVER_CONTRACT, ...GUARD_CONTRACT]) {
  Deno.test(`the kernel in memory: ${title}`, () => verify(bench));
}
