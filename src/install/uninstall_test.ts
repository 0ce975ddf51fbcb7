import { assertEquals, assertRejects } from "@std/assert";
import type { Argv, CommandResult } from "../exec/command_runner.ts";
import { type Installation, Refused, uninstall } from "./uninstall.ts";

const LINK = { ifname: "flock0a1b2c3d", ifalias: "0123abcd eth0", address: "02:00:00:00:00:01", mtu: 1500 };
const GENTLY = { force: false, keepBgpRoutes: false };
const DONE: CommandResult = { code: 0, stdout: "[]", stderr: "" };

interface Scene {
  readonly installation: Installation;
  /** What was run, without the reading of it. */
  readonly changes: string[];
  /** @returns what there is of flock's files */
  files(): string[];
}

/** A node with all of flock's files; `links` is what the kernel shows for as long as nobody removes it. */
async function withScene(
  options: { readonly links?: readonly unknown[]; readonly answering?: string; readonly failing?: string },
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  const changes: string[] = [];
  let links = options.links ?? [];
  const run = (argv: Argv, { stdin = "" } = {}): Promise<CommandResult> => {
    const line = [...argv.slice(1), ...stdin.trim().split("\n")].join(" ").trim();
    if (line.startsWith("-j")) {
      return Promise.resolve({ ...DONE, stdout: JSON.stringify(line.includes("veth") ? links : []) });
    }
    changes.push(line);
    if (options.failing !== undefined && line.includes(options.failing)) {
      return Promise.resolve({ code: 2, stdout: "", stderr: "no way" });
    }
    if (line.includes("link delete")) links = [];
    return Promise.resolve(DONE);
  };
  const places = ["run/deleted/x", "state/allocations.json", "net.d/01-flock.conflist", "net.d/.01-flock.conflist.1-2"];
  const all = [...places, "net.d/10-other.conflist", "bin/flock", "bin/.flock.new", "bin/bridge"];
  try {
    for (const path of all) {
      await Deno.mkdir(`${root}/${path.replace(/\/[^/]*$/, "")}`, { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, "");
    }
    const installation: Installation = {
      tools: { runner: { run }, ip: "/ip", nft: "/nft" },
      daemons: [{ name: "the agent", socket: "/agent.sock" }, { name: "BIRD", socket: "/bird.ctl" }],
      answers: (socket) => Promise.resolve(socket === options.answering),
      giveUpNetwork: () => {},
      conflist: `${root}/net.d/01-flock.conflist`,
      directories: [`${root}/run`, `${root}/state`, `${root}/none`],
      executables: [`${root}/bin/.flock.new`, `${root}/bin/flock`],
    };
    await test({ installation, changes, files: () => all.filter((path) => isThere(`${root}/${path}`)) });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("uninstall() removes flock's and nothing of others', and does so again", () =>
  withScene({}, async ({ installation, changes, files }) => {
    for (let time = 0; time < 2; time++) {
      await uninstall(installation, GENTLY);
      assertEquals(files(), ["net.d/10-other.conflist", "bin/bridge"]);
    }
    const tables = ["inet flock", "arp flock", "inet flock-policy"];
    const expected = [
      ...["-4 route flush table all proto 70", "-6 route flush table all proto 70"],
      ...["-4 route flush table main proto 12", "-6 route flush table main proto 12"],
      "nexthop flush proto 70",
      "-force -batch - link property add dev lo altname flock-node link property del dev lo altname flock-node",
      `-f - ${tables.map((table) => `add table ${table} delete table ${table}`).join(" ")}`,
    ];
    assertEquals(changes, [...expected, ...expected]);
  }));

Deno.test("uninstall() leaves BIRD's routes to another BIRD when told so", () =>
  withScene({}, async ({ installation, changes }) => {
    await uninstall(installation, { ...GENTLY, keepBgpRoutes: true });
    assertEquals(changes.filter((line) => line.includes("proto 12")), []);
  }));

Deno.test("uninstall() refuses while the agent or BIRD answers, and while there are pods, and has touched nothing", async () => {
  const scenes = [
    [{ answering: "/agent.sock" }, "the agent still runs"],
    [{ answering: "/bird.ctl" }, "BIRD still runs"],
    [{ links: [LINK] }, "pods are there: flock0a1b2c3d of container 0123abcd; drain the node"],
    [{ links: Array(7).fill(LINK) }, "2 more"],
  ] as const;
  for (const [options, message] of scenes) {
    await withScene(options, async ({ installation, changes, files }) => {
      const before = files();
      await assertRejects(() => uninstall(installation, GENTLY), Refused, message);
      assertEquals([changes, files()], [[], before]);
    });
  }
});

Deno.test("uninstall() takes pods' links with --force, first of all", () =>
  withScene({ links: [LINK, { ...LINK, ifname: "eth0" }] }, async ({ installation, changes, files }) => {
    await uninstall(installation, { ...GENTLY, force: true });
    assertEquals(changes[0], "-force -batch - link delete dev flock0a1b2c3d");
    assertEquals(files(), ["net.d/10-other.conflist", "bin/bridge"]);
  }));

Deno.test("uninstall() goes on after what fails, names it, and keeps the executable for the next time", async () => {
  for (const failing of ["proto 70", "nexthop", "add table"]) {
    await withScene({ failing }, async ({ installation, files }) => {
      await assertRejects(() => uninstall(installation, GENTLY), Error, "no way");
      assertEquals(files(), ["net.d/10-other.conflist", "bin/flock", "bin/.flock.new", "bin/bridge"]);
    });
  }
});
