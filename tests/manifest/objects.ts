import { loadAll } from "js-yaml";
import { BUNDLE } from "../../deploy/manifest.ts";
import { record, records } from "../lab/json.ts";

/** One container of the DaemonSet's pods, as it stands in the manifest. */
export type ManifestContainer = Readonly<Record<string, unknown>>;

/** @returns the bundle's objects, in its order */
export async function bundledObjects(): Promise<Record<string, unknown>[]> {
  return loadAll(await Deno.readTextFile(BUNDLE)).map(record);
}

/** @returns the bundle's only object of a kind. @throws when there is none, or another */
export async function bundled(kind: string): Promise<Record<string, unknown>> {
  const found = (await bundledObjects()).filter((object) => object["kind"] === kind);
  if (found.length !== 1 || found[0] === undefined) {
    throw new Error(`Cannot find ${kind}: ${found.length} in the bundle`);
  }
  return found[0];
}

/** @returns the spec of the DaemonSet's pods */
export async function podSpec(): Promise<Record<string, unknown>> {
  return record(record(record((await bundled("DaemonSet"))["spec"])["template"])["spec"]);
}

/** @returns all containers of the DaemonSet's pods, in the order of their start */
export async function podContainers(): Promise<ManifestContainer[]> {
  const { initContainers, containers } = await podSpec();
  return [...records(initContainers), ...records(containers)];
}

/** @returns the container of that name. @throws when there is none */
export async function podContainer(name: string): Promise<ManifestContainer> {
  const found = (await podContainers()).find((container) => container["name"] === name);
  if (found === undefined) throw new Error(`Cannot find container ${name}: the DaemonSet has none of that name`);
  return found;
}
