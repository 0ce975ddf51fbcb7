import { assertEquals, assertRejects } from "@std/assert";
import { until } from "../../tests/lab/until.ts";
import type { Logger } from "../log/logger.ts";
import { type Page, type Pages, PageServer, type PageServerOptions, shared } from "./page_server.ts";

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

async function withServer(
  options: Partial<PageServerOptions>,
  use: (server: PageServer, errors: string[]) => Promise<void>,
): Promise<void> {
  const errors: string[] = [];
  const silent = (): void => {};
  const logger: Logger = { debug: silent, info: silent, warn: silent, error: (message) => void errors.push(message) };
  const server = new PageServer({ pages: {}, logger, ...options });
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
  await withServer({ pages }, async (server, errors) => {
    const port = freePort();
    await server.listenAt([{ hostname: LOCAL, port }]);
    assertEquals(await get(port, "/x?a=1&a=2"), [200, "1+2"]);
    assertEquals(await get(port, "/x", "HEAD"), [200, ""]);
    assertEquals(await get(port, "/x", "DELETE"), [405, "only GET\n"]);
    for (const path of ["/", "/x/", "/toString", "/..%2fx", "//x"]) assertEquals((await get(port, path))[0], 404, path);
    assertEquals(await get(port, "/bad"), [500, "cannot say\n"]);
    assertEquals(errors, ["page not made"]);
  });
});

Deno.test("PageServer.listenAt() leaves where it is no longer wanted, stays where it is, and names where it cannot", async () => {
  await withServer({ pages: { "/": () => Promise.resolve(said("here")) } }, async (server) => {
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

/** @returns what the server sends until it hangs up */
async function talk(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: LOCAL, port });
  await connection.write(new TextEncoder().encode(text));
  const chunks = await Array.fromAsync(connection.readable, (chunk) => new TextDecoder().decode(chunk)).catch(() => []);
  return chunks.join("");
}

Deno.test("PageServer hangs up on who is slow or sends nonsense", async () => {
  await withServer({ patienceMs: 150 }, async (server) => {
    const port = freePort();
    await server.listenAt([{ hostname: LOCAL, port }]);
    for (
      const nonsense of [
        "\r\n\r\n",
        "GET / HTTP/2\r\n\r\n",
        "GET x HTTP/1.1\r\n\r\n",
        "a".repeat(20_000),
        "GET / HT",
        "G",
      ]
    ) {
      assertEquals(await talk(port, nonsense), "", nonsense.slice(0, 20));
    }
  });
});

Deno.test("PageServer hangs up on who comes when an endpoint is full, and has room again afterwards", async () => {
  const pages: Pages = { "/": () => Promise.resolve(said("here")) };
  await withServer({ pages, patienceMs: 600_000, maxConnections: 2 }, async (server) => {
    const port = freePort();
    await server.listenAt([{ hostname: LOCAL, port }]);
    const idle = await Promise.all([1, 2].map(() => Deno.connect({ hostname: LOCAL, port })));
    assertEquals(await talk(port, "GET / HTTP/1.1\r\n\r\n"), "");
    for (const connection of idle) connection.close();
    assertEquals(await until("there is room again", () => get(port, "/").catch(() => undefined)), [200, "here"]);
  });
});
