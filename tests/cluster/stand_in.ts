/** What the README's examples run, on machines without those programs: a web server that says its pod's name. */
import { renderBusyboxImage } from "../lab/pause_image.ts";
import type { Image } from "./cluster.ts";

/** The ports of all of them, so that one image does: SMTP, DNS, redis. */
export const STAND_IN_PORTS = { mail: 25, resolver: 53, cache: 6379 } as const;

const REFERENCE = "localhost/stand-in:test";
const WWW = "/tmp/www";

/** Ends on SIGTERM, as servers do. */
const SERVE = `#!/bin/sh
mkdir -p ${WWW}
hostname >${WWW}/index.html
${Object.values(STAND_IN_PORTS).map((port) => `/bin/busybox httpd -f -p ${port} -h ${WWW} &`).join("\n")}
trap 'exit 0' TERM
wait
`;

/** As the real one is called by the probe: its last word is the server to ask. */
const UNBOUND_HOST = `#!/bin/sh
for server do :; done
exec wget -q -O /dev/null "http://$server:${STAND_IN_PORTS.resolver}/"
`;

/** @param options.into an existing directory. @param options.as the names that the examples have for it */
export async function standInImage(
  { into, as }: { readonly into: string; readonly as: readonly string[] },
): Promise<Image> {
  const archive = `${into}/stand-in.tar`;
  const files = Object.entries({ serve: SERVE, "unbound-host": UNBOUND_HOST }).map(([name, text]) => ({
    path: `bin/${name}`,
    mode: 0o755,
    content: new TextEncoder().encode(text),
  }));
  await Deno.writeFile(
    archive,
    await renderBusyboxImage({ reference: REFERENCE, entrypoint: ["/bin/serve"], files }),
  );
  return { archive, reference: REFERENCE, as };
}

/** Makes a pod's server fail whatever asks it. */
export const BREAK_STAND_IN = ["/bin/busybox", "rm", `${WWW}/index.html`] as const;
