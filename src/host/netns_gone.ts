/**
 * Whether there is no network namespace at this path any more.
 *
 * @param path absolute; only what lies in /run/netns can be told; anything else, the empty path among it, counts as there
 */
export function netnsGone(path: string): boolean {
  if (path === "") return false;
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
