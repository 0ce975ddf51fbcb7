/** Every shape of line that flock ever writes into BIRD's configuration. */
const V4 = String.raw`\d{1,3}(?:\.\d{1,3}){3}`;
const V6 = String.raw`[0-9a-f:]*:[0-9a-f:]*`;
const IP = `(?:${V4}|${V6})`;
const ASN = String.raw`[1-9]\d{0,9}`;

const SHAPES: readonly RegExp[] = [
  "",
  "# Written by the flock agent; whatever is changed here is lost\\.",
  "log stderr all;",
  `router id ${V4};`,
  'timeformat protocol "%Y-%m-%dT%H:%M:%S%z";',
  "graceful restart wait 20;",
  "protocol device \\{",
  "protocol kernel kernel[46] \\{",
  "protocol bgp peer(?:4_[0-9a-f]{8}|6_[0-9a-f]{32}) \\{",
  "protocol static (?:aggregates|hosts|anycast)[46] \\{",
  "filter (?:import|export)[46] \\{",
  "  (?:persist|graceful restart|merge paths on|ipv[46]|accept|reject);",
  "protocol bfd \\{",
  '  password "[ !#-~]{1,80}";',
  "  bfd \\{",
  "  (?:graceful restart (?:on|off|time 120)|hold time \\d{1,5}|multihop \\d{1,3}|ttl security on);",
  "    (?:min [rt]x interval \\d{2,5} ms|multiplier \\d{1,3}|extended next hop on|import limit \\d{1,8} action block);",
  "  (?:connect delay time 1|connect retry time 3|error wait time 1, 5);",
  "  ipv[46] \\{",
  "    (?:import none|export where source = RTS_BGP|next hop self);",
  "    (?:import filter import|export filter export)[46];",
  `  local (?:${IP} )?as ${ASN};`,
  `  neighbor ${IP} as ${ASN};`,
  "  if net ~ \\[",
  `    ${IP}/\\d{1,3}(?:\\{\\d{1,3},\\d{1,3}\\})?,?`,
  "  \\] then reject;",
  '  if proto = "(?:aggregates|hosts|anycast)[46]" then (?:accept;|\\{)',
  "    bgp_(?:large_)?community\\.add\\(\\(\\d{1,10}(?:, \\d{1,10}){1,2}\\)\\);",
  `    (?:bgp_med = \\d{1,10}|bgp_path\\.prepend\\(${ASN}\\)|accept);`,
  "  \\}",
  `  route ${IP}/\\d{1,3} blackhole;`,
  "  \\};",
  "\\}",
].map((shape) => new RegExp(`^${shape}$`));

/** @returns the lines that nobody asked for */
export function strangeLines(text: string): string[] {
  return text.split("\n").filter((line) => !SHAPES.some((shape) => shape.test(line)));
}
