import type { IpBatch } from "../exec/ip_batch.ts";
import { withoutMissing } from "../exec/without_missing.ts";
import type { Attachment } from "./attachment_driver.ts";
import { explain, failed } from "./attach_failure.ts";
import type { IpReader } from "./kernel_ends.ts";
import { planRebinding } from "./plan_attachment.ts";

export interface RebindTools {
  /** For the node's namespace. */
  readonly batch: Pick<IpBatch, "run">;
  /** For the pod's. */
  readonly inPod: IpReader;
}

/** As `AttachmentDriver.rebind`. @throws AttachFailed */
export async function rebindAttachment(
  { before, after }: { before: Attachment; after: Attachment },
  { batch, inPod }: RebindTools,
): Promise<void> {
  const { hostBefore, pod, hostAfter } = planRebinding(before, after);
  await runOnHost(after, {
    batch: { run: async (lines) => withoutMissing(await batch.run(lines)) },
    lines: hostBefore,
  });
  const result = await inPod.runner.run([...inPod.ip, "-batch", "-"], { stdin: `${pod.join("\n")}\n` });
  if (result.code !== 0) throw explain(after, result.stderr);
  await runOnHost(after, { batch, lines: hostAfter });
}

async function runOnHost(
  attachment: Attachment,
  { batch, lines }: { batch: Pick<IpBatch, "run">; lines: readonly string[] },
): Promise<void> {
  if (lines.length === 0) return;
  const errors = await batch.run(lines).catch((error: unknown) => {
    throw failed(attachment, String(error), error);
  });
  if (errors !== "") throw failed(attachment, errors);
}
