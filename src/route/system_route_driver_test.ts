import { assert, assertEquals, assertRejects } from "@std/assert";
import { routeTo } from "../../tests/fakes/_route_contract.ts";
import type { CommandRunner, Conversation } from "../exec/command_runner.ts";
import type { RouteDriver } from "./route_driver.ts";
import { createRouteDriver } from "./system_route_driver.ts";

const END = "route flush";

/** An ip over an empty kernel that refuses the lines that it is told to; a line with `deadly` ends it. */
class ScriptedIp {
  readonly lines: string[] = [];
  readonly warnings: string[] = [];
  spawns = 0;
  /** What the nexthop listing says. */
  nexthops = "[]";

  constructor(readonly refuse: (line: string) => string | undefined = () => undefined) {}

  readonly runner: CommandRunner = {
    run: (argv) => {
      this.spawns++;
      return Promise.resolve({ code: 0, stdout: argv.includes("nexthop") ? this.nexthops : "[]", stderr: "" });
    },
    converse: (): Conversation => {
      let count = 0;
      return {
        send: (block) => {
          this.lines.push(...block.filter((line) => line !== END));
          if (block.some((line) => this.refuse(line) === "deadly")) return Promise.reject(new Error("ip ended"));
          return Promise.resolve(
            block.map((line) => {
              count++;
              if (line === END) return `"ip route flush" requires arguments.\nCommand failed -:${count}\n`;
              const error = this.refuse(line);
              return error === undefined ? "" : `${error}\nCommand failed -:${count}\n`;
            }).join(""),
          );
        },
        close: () => Promise.resolve(),
      };
    },
  };

  open(): RouteDriver {
    return createRouteDriver({ runner: this.runner, ip: "/ip", logger: { warn: (text) => this.warnings.push(text) } });
  }

  /** The lines since the last time. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

const FIRST = 0x464c_0000;
const RESILIENT = "type resilient buckets 256 idle_timer 4 unbalanced_timer 8";

Deno.test("apply() sets a route by way of a resilient group, changes the group in place, and says nothing of what is so", async () => {
  const ip = new ScriptedIp();
  const driver = ip.open();
  await driver.apply([routeTo("2001:db8:a::53", 1)]);
  assertEquals(ip.take().slice(4), [
    `nexthop add id ${FIRST + 2} via 2001:db8:f::1 dev flock00000001 onlink protocol 70`,
    `nexthop add id ${FIRST + 3} group ${FIRST + 2} ${RESILIENT} protocol 70`,
    `route replace 2001:db8:a::53/128 nhid ${FIRST + 3} proto 70 metric 20`,
  ]);
  await driver.apply([routeTo("2001:db8:a::53", 1, 2)]);
  assertEquals(ip.take(), [
    `nexthop add id ${FIRST + 4} via 2001:db8:f::2 dev flock00000002 onlink protocol 70`,
    `nexthop replace id ${FIRST + 3} group ${FIRST + 2}/${FIRST + 4} ${RESILIENT} protocol 70`,
  ]);
  const { spawns } = ip;
  assertEquals([await driver.apply([routeTo("2001:db8:a::53", 1, 2)]), ip.take(), ip.spawns], [[], [], spawns]);
  await driver.apply([routeTo("2001:db8:a::53", 2)]);
  assertEquals(ip.take(), [
    `nexthop replace id ${FIRST + 3} group ${FIRST + 4} ${RESILIENT} protocol 70`,
    `nexthop del id ${FIRST + 2}`,
  ]);
  await driver.apply([]);
  assertEquals(ip.take(), [
    `route del 2001:db8:a::53/128 nhid ${FIRST + 3} proto 70 metric 20`,
    `nexthop del id ${FIRST + 3}`,
    `nexthop del id ${FIRST + 4}`,
  ]);
  assertEquals([ip.spawns, ip.warnings], [spawns, []]);
});

Deno.test("a group none of whose hops stays may have gone with them: its route is set again", async () => {
  const ip = new ScriptedIp();
  const driver = ip.open();
  await driver.apply([routeTo("2001:db8:a::53", 1)]);
  ip.take();
  await driver.apply([routeTo("2001:db8:a::53", 2)]);
  assert(ip.take().includes(`route replace 2001:db8:a::53/128 nhid ${FIRST + 3} proto 70 metric 20`));
});

for (const refusal of ["Error: Invalid group type.", "deadly"]) {
  Deno.test(`where resilient groups are refused (${refusal}), which is asked once and told, groups are ordinary`, async () => {
    const ip = new ScriptedIp((line) => line.includes("resilient") ? refusal : undefined);
    const driver = ip.open();
    await driver.apply([routeTo("192.0.2.53", 1, 2)]);
    driver.doubt();
    await driver.apply([routeTo("192.0.2.53", 2)]);
    const groups = ip.take().filter((line) => line.includes(" group "));
    assertEquals(groups.filter((line) => line.includes("resilient")).length, 1);
    assertEquals(groups.at(-1), `nexthop add id ${FIRST + 9} group ${FIRST + 7}/${FIRST + 8} protocol 70`);
    assertEquals(ip.warnings.length, 1);
  });
}

Deno.test("an id that another has got is left to it", async () => {
  const ip = new ScriptedIp((line) =>
    line.startsWith(`nexthop add id ${FIRST + 2} `) ? "RTNETLINK answers: File exists" : undefined
  );
  const driver = ip.open();
  await driver.apply([routeTo("2001:db8:a::53", 1)]);
  assertEquals([...driver.left().keys()].some((fact) => fact === `nexthop ${FIRST + 2}`), false);
  assert(!ip.take().some((line) => line.startsWith(`nexthop del id ${FIRST + 2}`) || line.includes("nexthop replace")));
});

Deno.test("what fails is tried once more, then told; a kernel that cannot be read fails the call, and the next reads again", async () => {
  const ip = new ScriptedIp((line) =>
    line.startsWith("route replace") ? "RTNETLINK answers: No buffer space" : undefined
  );
  const driver = ip.open();
  const failure = await assertRejects(() => driver.apply([routeTo("2001:db8:a::53", 1)]), Error, "No buffer space");
  assert(failure.message.startsWith("Cannot set routes: route to 2001:db8:a::53: "));
  assertEquals(ip.take().filter((line) => line.startsWith("route replace")).length, 2);
  ip.nexthops = "{}";
  await assertRejects(() => driver.apply([]), Error, "it printed no list");
  ip.nexthops = "[]";
  assertEquals(await driver.apply([]), []);
});
