import { assertEquals, assertThrows } from "@std/assert";
import { parseInspectArgs } from "./parse_inspect_args.ts";

function parsed(line: string): unknown {
  const options = parseInspectArgs(line.split(" ").filter((word) => word !== ""));
  return options === "help" ? options : [options.command.name, options.words, options.form, options.watch];
}

Deno.test("inspect's command line: a command, its words and options in any order; without any, the summary", () => {
  assertEquals(parsed(""), ["summary", [], "table", false]);
  assertEquals(parsed("pods -o wide"), ["pods", [], "wide", false]);
  assertEquals(parsed("-ojson pod default/web --watch"), ["pod", ["default/web"], "json", true]);
  assertEquals(parsed("--output=yaml -w drift"), ["drift", [], "yaml", true]);
  assertEquals(parsed("--output yaml ipam"), ["ipam", [], "yaml", false]);
  assertEquals(parsed("pods --help"), "help");
  assertEquals(parsed("-- drift"), ["drift", [], "table", false]);
});

Deno.test("inspect's command line: what it does not know, it says", () => {
  const refused: Readonly<Record<string, string>> = {
    "nonsense": 'Cannot inspect "nonsense": there is no such command',
    "pods more": 'Cannot inspect pods: it takes no "more"',
    "pod": "Cannot inspect pod: it takes one NS/NAME",
    "pod web": "Cannot inspect pod: it takes one NS/NAME",
    "-o": 'Cannot print "": must be table, wide, json, yaml',
    "-o xml": 'Cannot print "xml": must be table, wide, json, yaml',
    "--all": 'Cannot inspect: unknown option "--all"',
    "-x": 'Cannot inspect: unknown option "-x"',
  };
  for (const [line, message] of Object.entries(refused)) assertThrows(() => parsed(line), Error, message);
});
