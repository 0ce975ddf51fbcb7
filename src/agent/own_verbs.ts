import { verbOf } from "./verb_of.ts";

type Handle = (request: unknown, length: number) => Promise<unknown>;

/**
 * @param answers by verb: what flock's own processes ask over the socket
 * @param handle who answers everything else: the plugin's requests
 * @returns who answers both
 */
export function besidesOwn(answers: Readonly<Record<string, () => unknown>>, handle: Handle): Handle {
  const known = new Map(Object.entries(answers));
  return async (request, length) => {
    const verb = verbOf(request);
    const answer = typeof verb === "string" ? known.get(verb) : undefined;
    return answer === undefined ? await handle(request, length) : answer();
  };
}
