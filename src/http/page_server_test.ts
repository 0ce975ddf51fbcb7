import { assertEquals, assertRejects } from "@std/assert";
import type { Logger } from "../log/logger.ts";
import { type Page, type Pages, PageServer, shared } from "./page_server.ts";

const LOCAL = "127.0.0.1";

/** A port of 127.0.0.1 that was free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: LOCAL, port: 0 });
  return listener.addr.port;
}

async function get(port: number, path: string, method = "GET"): Promise<[number, string]> {
  const answer = await fetch(`http://${LOCAL}:${port}${path}`, { method, headers: { Connection: "close" } });
  return [answer.status, await answer.text()];
}

async function withServer(pages: Pages, use: (server: PageServer, errors: string[]) => Promise<void>): Promise<void> {
  const errors: string[] = [];
  const silent = (): void => {};
  const logger: Logger = { debug: silent, info: silent, warn: silent, error: (message) => void errors.push(message) };
  const server = new PageServer({ pages, logger });
  try {
    await use(server, errors);
  } finally {
    server.stop();
  }
}

const said = (text: string): Page => ({ status: 200, text });

Deno.test("PageServer serves its pages and nothing else, to readers only", async () => {
  const pages: Pages = {
    "/x": (query) => Promise.resolve(said(query.getAll("a").join("+"))),
    "/bad": () => Promise.reject(new Error("secret")),
  };
  await withServer(pages, async (server, errors) => {
    const port = freePort();
    await server.listenAt([{ hostname: LOCAL, port }]);
    assertEquals(await get(port, "/x?a=1&a=2"), [200, "1+2"]);
    assertEquals(await get(port, "/x", "HEAD"), [200, ""]);
    assertEquals(await get(port, "/x", "DELETE"), [405, "only GET\n"]);
    for (const path of ["/", "/x/", "/toString", "/..%2fx"]) assertEquals((await get(port, path))[0], 404, path);
    assertEquals(await get(port, "/bad"), [500, "cannot say\n"]);
    assertEquals(errors, ["page not made"]);
  });
});

Deno.test("PageServer.listenAt() leaves where it is no longer wanted, stays where it is, and names where it cannot", async () => {
  await withServer({ "/": () => Promise.resolve(said("here")) }, async (server) => {
    const [stays, goes] = [freePort(), freePort()];
    await server.listenAt([stays, goes].map((port) => ({ hostname: LOCAL, port })));
    assertEquals(await get(goes, "/"), [200, "here"]);
    using taken = Deno.listen({ hostname: LOCAL, port: 0 });
    const { port } = taken.addr;
    const wanted = [{ hostname: LOCAL, port }, { hostname: LOCAL, port: stays }];
    await assertRejects(() => server.listenAt(wanted), Error, `Cannot listen for HTTP: ${LOCAL} port ${port}: `);
    assertEquals(await get(stays, "/"), [200, "here"]);
    await assertRejects(() => get(goes, "/"), TypeError, "");
  });
});

Deno.test("shared() makes a page once for all who ask meanwhile, and anew for the next", async () => {
  let made = 0;
  const page = shared(async () => {
    await Promise.resolve();
    return said(String(++made));
  });
  const texts = await Promise.all([page(), page(), page()]);
  assertEquals(texts.map(({ text }) => text), ["1", "1", "1"]);
  assertEquals((await page()).text, "2");
});
