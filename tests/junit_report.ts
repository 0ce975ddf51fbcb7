/** What `deno test --junit-path` leaves. */
export interface TestReport {
  readonly passed: number;
  readonly skipped: number;
  /** One line for each test that failed: its title and the first line of what it said. */
  readonly failures: readonly string[];
}

/** @param xml of one run; the empty text when the run ended before it wrote any */
export function parseJunit(xml: string): TestReport {
  const cases = [...xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)];
  const failures = cases.flatMap(([, title = "", body = ""]) => failureOf(unescapeXml(title), body));
  const skipped = cases.filter(([, , body]) => body?.includes("<skipped")).length;
  return { passed: cases.length - failures.length - skipped, skipped, failures };
}

function failureOf(title: string, body: string): string[] {
  const message = /<(?:failure|error)\b[^>]*? message="([^"]*)"/.exec(body)?.[1];
  if (message === undefined) return [];
  const [first = ""] = unescapeXml(message).split("\n");
  return [`${title}: ${first}`];
}

function unescapeXml(text: string): string {
  const plain: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => plain[name] ?? "");
}
