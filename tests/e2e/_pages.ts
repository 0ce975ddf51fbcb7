/** What an agent shows over HTTP, read as a scraper or a prober reads it. */
import type { Place } from "../lab/place.ts";

export interface ShownPage {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Where an agent always listens, as seen from its node. */
const LOCAL = { hostname: "127.0.0.1", port: 9469 };

/** Asks from inside the place. @returns undefined when nobody listens there */
export async function readPage(
  from: Pick<Place, "exec">,
  path: string,
  { hostname, port }: { readonly hostname: string; readonly port: number } = LOCAL,
): Promise<ShownPage | undefined> {
  // Not nc, which shuts its side down after the request: whoever does that does not wait for the answer, to the server's mind.
  const ask = 'exec 3<>"/dev/tcp/$1/$2" && printf "GET %s HTTP/1.0\\r\\nHost: flock\\r\\n\\r\\n" "$3" >&3 && cat <&3';
  const { code, stdout } = await from.exec(["/bin/bash", "-c", ask, "ask", hostname, String(port), path]);
  const [head = "", ...rest] = stdout.split("\r\n\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
  if (code !== 0 || status === undefined) return undefined;
  const contentType = /^content-type: (.*)$/im.exec(head)?.[1] ?? "";
  return { status: Number(status), contentType, text: rest.join("\r\n\r\n") };
}

/** @returns the samples of `/metrics`: `name{label="value"}` -> value. @throws when nobody serves them */
export async function scrape(from: Pick<Place, "exec">): Promise<ReadonlyMap<string, number>> {
  const page = await readPage(from, "/metrics");
  if (page?.status !== 200) throw new Error(`Cannot scrape: ${JSON.stringify(page)}`);
  return samplesOf(page.text);
}

/** @returns the samples of a text in Prometheus' format */
export function samplesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}
