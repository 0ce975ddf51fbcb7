import { assertEquals } from "@std/assert";
import { parseJunit } from "./junit_report.ts";

const XML = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="0.2">
  <testsuite name="./a_test.ts" tests="4" disabled="1" errors="0" failures="1">
    <testcase name="passes" classname="./a_test.ts" time="0.1" line="1" col="6"/>
    <testcase name="passes &gt; a step" classname="./a_test.ts" time="0.1" line="1" col="6">
    </testcase>
    <testcase name="a &lt; b" classname="./a_test.ts" time="0.1" line="2" col="6">
      <failure message="Uncaught Error: &quot;a&quot; isn&apos;t b
  more of it">Error: it</failure>
    </testcase>
    <testcase name="waits" classname="./a_test.ts" time="0" line="3" col="6">
      <skipped/>
    </testcase>
  </testsuite>
</testsuites>`;

Deno.test("parseJunit() counts, and names what failed with the first line of why", () => {
  assertEquals(parseJunit(XML), { passed: 2, skipped: 1, failures: [`a < b: Uncaught Error: "a" isn't b`] });
});

Deno.test("parseJunit() of a run that wrote nothing is of no test", () => {
  assertEquals(parseJunit(""), { passed: 0, skipped: 0, failures: [] });
});
