import { LOOPBACK, runContract } from "./_contract_suite.ts";
import { startRealApi } from "./real.ts";

const ASSETS = Deno.env.get("KUBEBUILDER_ASSETS");

if (ASSETS === undefined) {
  const command = "KUBEBUILDER_ASSETS=$(../shared/kube/unpack) deno test -A tests/lab/api/contract_linux_test.ts";
  const title = `the real API server keeps the contract: KUBEBUILDER_ASSETS is not set; run it by ${command}`;
  Deno.test.ignore(title, () => {});
} else {
  Deno.test("the real API server keeps the contract", async (t) => {
    await runContract(await startRealApi({ ...LOOPBACK, assets: ASSETS }), t);
  });
}
