/** What ip wrote, as the fault it stands for. Pure. */
import { AttachFailed, type Attachment } from "./attachment_driver.ts";
import { GUARD_LINE, LINK_LINE } from "./plan_attachment.ts";

/** @param stderr of the process for the pod's end, which stopped at its first failing line */
export function explain(attachment: Attachment, stderr: string): AttachFailed {
  const { hostLink, ifname, netns } = attachment;
  const line = Number(/Command failed -:(\d+)/.exec(stderr)?.[1]);
  if (/network namespace/.test(stderr)) {
    return new AttachFailed("netnsMissing", `Cannot attach ${hostLink}: there is no network namespace "${netns}"`);
  }
  if (line === GUARD_LINE && stderr.includes("File exists")) {
    return new AttachFailed("netnsIsHost", `Cannot attach ${hostLink}: "${netns}" is the node's own namespace`);
  }
  if (line === LINK_LINE && stderr.includes("File exists")) {
    return new AttachFailed("ifnameExists", `Cannot attach ${hostLink}: "${netns}" has an interface ${ifname} already`);
  }
  return failed(attachment, stderr);
}

/** Faults that were found before anything was made. */
export function isHarmless(error: unknown): boolean {
  return error instanceof AttachFailed && error.fault !== "failed";
}

/** @param state what the tool wrote, or what happened instead */
export function failed({ hostLink }: Attachment, state: string, cause?: unknown): AttachFailed {
  return new AttachFailed("failed", `Cannot attach ${hostLink}: ${state.trim()}`, { cause });
}

/** @param errors what ip wrote. @returns what there is to say of it: a link that vanished meanwhile needs no repair */
export function restorationFailure({ hostLink }: Attachment, errors: string): string[] {
  if (errors === "" || /Cannot find device|No such device/.test(errors)) return [];
  return [`Cannot repair ${hostLink}: ${errors.trim().replaceAll("\n", "; ")}`];
}
