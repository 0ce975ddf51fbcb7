/** What a TextTable promises, on whatever kernel: in memory, and on a real one. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type TextTable, TransactionRefused } from "../../src/nft/text_table.ts";

/** Where the tables are. */
export interface TextTableBench {
  /** The table `inet flock-policy` as a process has it that starts now. */
  open(): TextTable;
  /** Somebody else deletes the table. */
  deleteTable(): Promise<void>;
  /** Somebody else's command on the table. */
  meddle(command: string): Promise<void>;
}

/** One promise. */
export interface PromisedOfTable {
  readonly title: string;
  verify(bench: TextTableBench): Promise<void>;
}

const NAME = "inet flock-policy";
/** @returns the text of a table with these elements, and as many rules in its chain */
function textOf(elements: readonly string[], rules = 1): string {
  const list = elements.length === 0 ? "" : ` elements = { ${elements.join(", ")} }`;
  return `table ${NAME}
delete table ${NAME}
table ${NAME} {
	counter dropped { }
	set peers { type ipv4_addr;${list} }
	map pods { type ifname : verdict; elements = { "flock0a0b0c0d" : goto to_pod } }
	chain from_peers {
${"\t\tip saddr @peers tcp dport { 80, 8000-8100 } accept\n".repeat(rules)}	}
	chain to_pod {
		jump from_peers
		counter name "dropped" drop
	}
	chain ingress {
		type filter hook postrouting priority 99; policy accept;
		oifname vmap @pods
	}
}
`;
}

const TWO = textOf(["10.0.0.1", "10.0.0.2"]);

async function withTable(bench: TextTableBench, work: (table: TextTable) => Promise<void>): Promise<void> {
  const table = bench.open();
  try {
    await table.replace(TWO);
    await work(table);
  } finally {
    await table.close();
  }
}

export const TEXT_TABLE_CONTRACT: readonly PromisedOfTable[] = [
  {
    title: "without a table drift() is undefined, nothing is counted and change() is refused; replace() makes it",
    verify: async (bench) => {
      const table = bench.open();
      assertEquals([await table.drift(TWO), (await table.counters()).size], [undefined, 0]);
      await assertRejects(() => table.change([`add element ${NAME} peers { 10.0.0.3 }`]), TransactionRefused);
      await table.replace(TWO);
      assertEquals(await table.drift(TWO), []);
      assertEquals([...await table.counters()], [["dropped", { packets: 0, bytes: 0 }]]);
      await table.close();
      await bench.deleteTable();
    },
  },
  {
    title: "change() makes one transaction of its commands, one process after another",
    verify: (bench) =>
      withTable(bench, async (table) => {
        await table.change([
          `add element ${NAME} peers { 10.0.0.3 }`,
          `delete element ${NAME} peers { 10.0.0.1, 10.0.0.2 }`,
        ]);
        assertEquals(await table.drift(textOf(["10.0.0.3"])), []);
        const other = bench.open();
        const rule = `add rule ${NAME} from_peers ip saddr @peers accept`;
        await other.change([`flush chain ${NAME} from_peers`, rule, rule]);
        await other.close();
        assertEquals(await table.drift(textOf(["10.0.0.3"], 2)), []);
      }),
  },
  {
    title: "a transaction of which one command is refused has no effect, and spoils nothing that comes after",
    verify: (bench) =>
      withTable(bench, async (table) => {
        const first = `add element ${NAME} peers { 10.0.0.3 }`;
        for (const bad of [`delete element ${NAME} peers { 10.9.9.9 }`, `add rule ${NAME} nowhere accept`]) {
          const error = await assertRejects(() => table.change([first, bad]), TransactionRefused);
          assertStringIncludes(error.complaint, "No such file or directory");
          assertEquals(await table.drift(TWO), [], bad);
        }
        await table.change([first]);
        assertEquals(await table.drift(textOf(["10.0.0.1", "10.0.0.2", "10.0.0.3"])), []);
      }),
  },
  {
    title: "change() takes ten thousand elements at once, or none of them",
    verify: (bench) =>
      withTable(bench, async (table) => {
        const many = Array.from({ length: 10_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
        const add = `add element ${NAME} peers { ${many.join(", ")} }`;
        await assertRejects(() => table.change([add, `delete set ${NAME} nowhere`]), TransactionRefused);
        assertEquals(await table.drift(TWO), []);
        await table.change([add]);
        assertEquals(await table.drift(textOf(["10.0.0.1", "10.0.0.2", ...many])), []);
      }),
  },
  {
    title:
      "replace() refuses what is no table, and leaves the one that is there; refusal() says so before, and changes nothing",
    verify: (bench) =>
      withTable(bench, async (table) => {
        const bad = TWO.slice(0, TWO.lastIndexOf("}"));
        assert((await table.refusal(bad) ?? "").includes("syntax error"));
        assertEquals(await table.refusal(textOf(["10.0.0.3"])), undefined);
        await assertRejects(() => table.replace(bad), TransactionRefused, "syntax error");
        assertEquals(await table.drift(TWO), []);
      }),
  },
  {
    title: "drift() names what others took away, put in or changed; a table that they deleted is gone",
    verify: (bench) =>
      withTable(bench, async (table) => {
        const meddling: readonly (readonly [command: string, phrase: string])[] = [
          [`delete element ${NAME} peers { 10.0.0.2 }`, "set peers lacks 10.0.0.2"],
          [`add element ${NAME} peers { 10.0.0.9 }`, "set peers holds 10.0.0.9, not ours"],
          [`add rule ${NAME} from_peers accept`, "chain from_peers is (2 rules) instead of (1 rules)"],
          [
            `delete element ${NAME} pods { "flock0a0b0c0d" : goto to_pod }`,
            "set pods lacks flock0a0b0c0d : goto to_pod",
          ],
          [
            `flush chain ${NAME} ingress`,
            "chain ingress is (filter postrouting 99 accept, 0 rules) instead of (filter postrouting 99 accept, 1 rules)",
          ],
          [`add chain ${NAME} more`, "chain more is not ours"],
          [`add counter ${NAME} more { }`, "counter more is not ours"],
        ];
        for (const [command, phrase] of meddling) {
          await bench.meddle(command);
          assertEquals(await table.drift(TWO), [phrase], command);
          await table.replace(TWO);
          assertEquals(await table.drift(TWO), [], command);
        }
        await bench.deleteTable();
        assertEquals(await table.drift(TWO), undefined);
      }),
  },
];
