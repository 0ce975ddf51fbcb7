/** A CNI plugin of Debian's, for tests of the lab itself: what flock's part will be later. */
import type { LabNode } from "./node.ts";
import { until } from "./until.ts";

const CONFLIST = {
  cniVersion: "1.0.0",
  name: "ptp",
  plugins: [{
    type: "ptp",
    ipam: { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]], routes: [{ dst: "0.0.0.0/0" }] },
  }],
};

/** Starts containerd with the plugin. @returns when it is ready for pods */
export async function listenForPods(node: LabNode): Promise<void> {
  const { cri } = await node.startContainerd();
  await node.output(["ln", "-s", "/usr/lib/cni/ptp", "/usr/lib/cni/host-local", "/opt/cni/bin/"]);
  await node.write("/etc/cni/net.d/10-ptp.conflist", JSON.stringify(CONFLIST));
  await until("containerd is ready for pods", async () => (await cri.complaints()).length === 0);
}
