import { TEXT_TABLE_CONTRACT } from "./_text_table_contract.ts";
import { type MemoryTables, MemoryTextTable } from "./memory_text_table.ts";

for (const { title, verify } of TEXT_TABLE_CONTRACT) {
  Deno.test(`the table in memory: ${title}`, () => {
    const kernel: MemoryTables = { table: undefined };
    return verify({
      open: () => new MemoryTextTable(kernel),
      deleteTable: () => Promise.resolve(void (kernel.table = undefined)),
      meddle: (command) => new MemoryTextTable(kernel).change([command]),
    });
  });
}
