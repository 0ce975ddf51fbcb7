/** The image has no /etc/protocols and no /etc/services: what is written for nft must not name what only those know. */
import { assertEquals } from "@std/assert";
import { createSystemRunner } from "../../src/exec/system_runner.ts";

const SOURCES = new URL("../../src/", import.meta.url);
/** Empty files in the place of both, where they are, for one call of nft in a mount namespace of its own. */
const CHECK = `
for file in /etc/protocols /etc/services; do [ ! -e $file ] || mount --bind /dev/null $file; done
exec /usr/sbin/nft -c -f -`;

for (const golden of ["nft/testdata/full.nft", "nft/testdata/empty.nft", "policy/testdata/full.nft"]) {
  Deno.test(`nft takes ${golden} where no file tells it names of protocols and ports`, async () => {
    const argv = ["/usr/bin/unshare", "--mount", "/bin/sh", "-euc", CHECK] as const;
    const stdin = await Deno.readTextFile(new URL(golden, SOURCES));
    const { code, stderr } = await createSystemRunner().run(argv, { stdin });
    assertEquals([code, stderr], [0, ""]);
  });
}
