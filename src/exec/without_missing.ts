/** @returns what ip wrote about lines that removed, without those that found nothing left: a link that goes takes them along */
export function withoutMissing(errors: string): string {
  return errors.split(/Command failed -:\d+\n?/)
    .filter((error) => !/^\s*$|No such (file or directory|process)|Nexthop id does not exist/.test(error)).join("");
}
