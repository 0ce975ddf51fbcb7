/** As much of PromQL as the table of faults has: `name{label="value"} == N`, and `increase(name{...}[5m]) > 0`. */

type Samples = ReadonlyMap<string, number>;

const EXPRESSION = /^(?:increase\((\S+)\[5m\]\)|(\S+)) (==|>) (\d+)$/;

/** @returns whether any series meets it. @throws for another expression */
export function holds(
  expression: string,
  { before, now }: { readonly before: Samples; readonly now: Samples },
): boolean {
  const [match, rising, plain, operator, limit] = EXPRESSION.exec(expression) ?? [];
  if (match === undefined) throw new Error(`Cannot judge ${expression}: not of the few forms`);
  const wanted = rising ?? plain ?? "";
  return [...now].filter(([series]) => isOf(series, wanted)).some(([series, value]) => {
    const shown = rising === undefined ? value : value - (before.get(series) ?? 0);
    return operator === ">" ? shown > Number(limit) : shown === Number(limit);
  });
}

/** Says whether the series has the name, and at least these labels. */
function isOf(series: string, wanted: string): boolean {
  const [name, ...labels] = partsOf(wanted);
  const [own, ...ownLabels] = partsOf(series);
  return name === own && labels.every((label) => ownLabels.includes(label));
}

function partsOf(series: string): string[] {
  const [, name = "", labels = ""] = /^([^{]+)(?:\{(.*)\})?$/.exec(series) ?? [];
  return [name, ...labels.match(/\w+="[^"]*"/g) ?? []];
}
