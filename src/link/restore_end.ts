/** Puts one host end right that somebody altered. */
import { restorationFailure } from "./attach_failure.ts";
import type { Attachment } from "./attachment_driver.ts";
import type { IpBatch } from "../exec/ip_batch.ts";
import { checkHostWords, planSysctls } from "./plan_attachment.ts";
import { planEndRestoration, planLinkRestoration } from "./plan_restoration.ts";
import type { KernelLink } from "./read_kernel.ts";

/** Sysctls below net/; a link that has none of its own is not there. */
export interface LinkSysctls {
  read(name: string): string | undefined;
  write(name: string, value: string): void;
}

/**
 * Goes on after whatever fails: the rest may be what matters. Never throws.
 *
 * @param by `link` is what the kernel has
 * @returns what failed; a link that went away meanwhile is no failure
 */
export async function restoreEnd(
  attachment: Attachment,
  { link, batch, sysctls }: { link: KernelLink; batch: IpBatch; sysctls: LinkSysctls },
): Promise<string[]> {
  const run = async (plan: () => string[]): Promise<string[]> => {
    checkHostWords(attachment);
    return restorationFailure(attachment, await batch.run(plan()));
  };
  const failures = await told(() => run(() => planLinkRestoration(attachment, link)));
  for (const [name, value] of planSysctls(attachment)) {
    failures.push(...await told(() => restoreSysctl(sysctls, { name, value })));
  }
  return [...failures, ...await told(() => run(() => planEndRestoration(attachment)))];
}

/** Writes only where there is another value. @throws when the kernel refuses it */
export function restoreSysctl(sysctls: LinkSysctls, { name, value }: { name: string; value: string }): void {
  const now = sysctls.read(name);
  if (now !== undefined && now !== value) sysctls.write(name, value);
}

/** @returns what the step told of, or what it threw */
async function told(step: () => Promise<string[]> | void): Promise<string[]> {
  try {
    return await step() ?? [];
  } catch (error) {
    return [String(error)];
  }
}
