import { assertEquals, assertThrows } from "@std/assert";
import { configOf, parseDockerfile, textsOf } from "./dockerfile.ts";

const TEXT = `# a comment
FROM a:1 AS build
RUN one \\
  && two

from b:2
LABEL x="1" \\
  y.z="two words"
# between
COPY --from=build /a /b
RUN last
USER 1:2
ENTRYPOINT ["/b", "c"]
`;

Deno.test("parseDockerfile() tells stages apart, joins continued lines and leaves comments out", () => {
  const [build, last, ...more] = parseDockerfile(TEXT);
  assertEquals([build?.from, build?.name, last?.from, last?.name, more], ["a:1", "build", "b:2", undefined, []]);
  assertEquals(build?.instructions, [{ keyword: "RUN", text: "one && two" }]);
  assertEquals(last && textsOf(last, "COPY"), ["--from=build /a /b"]);
  assertThrows(() => parseDockerfile("RUN x\nFROM a"), Error, "RUN before FROM");
});

Deno.test("configOf() says what a runtime needs to know of the image", () => {
  const last = parseDockerfile(TEXT).at(-1);
  const expected = { User: "1:2", Entrypoint: ["/b", "c"], Labels: { x: "1", "y.z": "two words" } };
  assertEquals(last && configOf(last), expected);
  assertEquals(configOf({ from: "a", name: undefined, instructions: [] }).User, "root");
});
