import type { CommandRunner } from "../exec/command_runner.ts";
import { readIpJson } from "../exec/read_ip_json.ts";
import { parseAddress } from "../ip/address.ts";
import { fieldsOf, itemsOf } from "../json/fields.ts";
import { IP } from "../paths/paths.ts";

/** @returns every address of every link of the node, canonical text. @throws when ip fails */
export async function readNodeAddresses(runner: Pick<CommandRunner, "run">): Promise<ReadonlySet<string>> {
  const links = await readIpJson(runner, [IP, "-j", "-d", "address", "show"]) ?? [];
  const texts = links.flatMap(({ addr_info }) => itemsOf(addr_info).map((each) => String(fieldsOf(each)["local"])));
  return new Set(texts.flatMap((text) => parseAddress(text)?.text ?? []));
}
