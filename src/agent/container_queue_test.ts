import { assertEquals, assertRejects } from "@std/assert";
import { ContainerQueue } from "./container_queue.ts";

Deno.test("ContainerQueue runs operations of one container in order, also after a failure", async () => {
  const queue = new ContainerQueue();
  const seen: string[] = [];
  const step = (name: string, ms: number): Promise<void> =>
    queue.run("c1", async () => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      seen.push(name);
    });
  const failing = queue.run("c1", () => Promise.reject(new Error("first fails")));
  const all = [step("a", 5), step("b", 0)];
  await assertRejects(() => failing, Error, "first fails");
  await Promise.all(all);
  assertEquals(seen, ["a", "b"]);
  assertEquals(queue.busy("c1"), false);
});

Deno.test("ContainerQueue lets different containers overlap", async () => {
  const queue = new ContainerQueue();
  let release = (): void => {};
  const blocked = queue.run("c1", () => new Promise<void>((resolve) => (release = resolve)));
  assertEquals(await queue.run("c2", () => Promise.resolve("through")), "through");
  assertEquals(queue.busy("c1"), true);
  release();
  await blocked;
});
