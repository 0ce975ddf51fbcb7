import { assertEquals } from "@std/assert";
import { createLogger } from "../log/logger.ts";
import { type Fixture, openFixture, request } from "./_agent_fixture.ts";
import { ContainerQueue } from "./container_queue.ts";
import { LinkRestorer } from "./link_restorer.ts";

interface Opened extends AsyncDisposable {
  readonly fixture: Fixture;
  readonly queue: ContainerQueue;
  readonly restorer: LinkRestorer;
  readonly lines: string[];
}

/** A node with two pods, c1 and c2, whose links somebody removed. */
async function openLoss(): Promise<Opened> {
  const fixture = await openFixture();
  for (const id of ["c1", "c2"]) await fixture.service.handle(request(fixture, "ADD", { id }));
  const { ledger, kernel } = fixture;
  kernel.links.clear();
  const lines: string[] = [];
  const logger = createLogger((line) => lines.push(line), { level: "info", now: () => 0 });
  const queue = new ContainerQueue();
  const netnsGone = kernel.netnsGone.bind(kernel);
  const restorer = new LinkRestorer({ ledger, driver: kernel, queue, logger, netnsGone });
  return { fixture, queue, restorer, lines, [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose]() };
}

function restored({ fixture }: Opened): string[] {
  return [...fixture.kernel.links.values()].map(({ containerId }) => containerId);
}

Deno.test("LinkRestorer makes a lost link anew with its pod's addresses, and says so", async () => {
  await using loss = await openLoss();
  const before = loss.fixture.ledger.all();
  await loss.restorer.restore();
  assertEquals(restored(loss), ["c1", "c2"]);
  assertEquals(loss.fixture.ledger.all(), before);
  assertEquals(loss.lines.filter((line) => line.includes("was missing")).length, 2);
  const { attaches } = loss.fixture.kernel;
  await loss.restorer.restore();
  assertEquals(loss.fixture.kernel.attaches, attaches);
});

Deno.test("LinkRestorer leaves sandboxes alone that have ended, and containers that are being worked on", async () => {
  await using loss = await openLoss();
  loss.fixture.kernel.namespaces.delete("/run/netns/c1");
  const operation = Promise.withResolvers<void>();
  const busy = loss.queue.run("c2", () => operation.promise);
  await loss.restorer.restore();
  assertEquals(restored(loss), []);
  operation.resolve();
  await busy;
});

Deno.test("LinkRestorer leaves another namespace alone that has come to be at a pod's path", async () => {
  await using loss = await openLoss();
  const { kernel } = loss.fixture;
  kernel.namespaces.delete("/run/netns/c1");
  kernel.namespaces.add("/run/netns/c1");
  await loss.restorer.restore();
  assertEquals(restored(loss), ["c2"]);
});

Deno.test("LinkRestorer gives no link to a pod that was deleted while it looked", async () => {
  await using loss = await openLoss();
  const list = loss.fixture.kernel.list.bind(loss.fixture.kernel);
  loss.fixture.kernel.list = async () => {
    const found = await list();
    for (const id of ["c1", "c2"]) await loss.fixture.service.handle(request(loss.fixture, "DEL", { id }));
    return found;
  };
  await loss.restorer.restore();
  assertEquals([restored(loss), loss.fixture.ledger.all()], [[], []]);
});

Deno.test("LinkRestorer says once why a link cannot be made, and keeps no other from being made", async () => {
  await using loss = await openLoss();
  const attach = loss.fixture.kernel.attach.bind(loss.fixture.kernel);
  loss.fixture.kernel.attach = (attachment) =>
    attachment.containerId === "c1" ? Promise.reject(new Error("eth0 exists")) : attach(attachment);
  await loss.restorer.restore();
  await loss.restorer.restore();
  assertEquals(restored(loss), ["c2"]);
  assertEquals(loss.lines.filter((line) => line.includes("eth0 exists")).length, 1);
});
