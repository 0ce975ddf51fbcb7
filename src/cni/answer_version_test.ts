import { assertEquals } from "@std/assert";
import { answerVersion } from "./answer_version.ts";

Deno.test("answerVersion() repeats the version, whatever is on standard input", async () => {
  const inputs = [['{"cniVersion":"9.9.9"}', "9.9.9"], ["", "1.1.0"], ["{", "1.1.0"], ["[]", "1.1.0"]] as const;
  for (const [stdin, cniVersion] of inputs) {
    const done: string[] = [];
    const code = await answerVersion({
      giveUpEverything: () => void done.push("give up"),
      peekStdin: () => Promise.resolve(new TextEncoder().encode(stdin)),
      print: (text) => void done.push(text),
    });
    assertEquals(code, 0);
    const supportedVersions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
    assertEquals(done, ["give up", `${JSON.stringify({ cniVersion, supportedVersions })}\n`]);
  }
});
