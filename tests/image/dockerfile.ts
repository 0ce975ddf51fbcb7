/** Just enough of the Dockerfile format to run what flock's says without Docker. */

/** `RUN deno install`: keyword and the rest, continued lines joined by a space. */
export interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

/** What one FROM begins. */
export interface Stage {
  readonly from: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** What of a stage a runtime needs to know (image-spec 1.0, `config.md`). */
export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}

/** @returns the stages in their order. @throws when an instruction stands before the first FROM */
export function parseDockerfile(text: string): Stage[] {
  const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const instruction of parseInstructions(text)) {
    const [, from = "", name] = /^(\S+)(?: AS (\S+))?$/i.exec(instruction.text) ?? [];
    if (instruction.keyword === "FROM") stages.push({ from, name, instructions: [] });
    else if (stages.length === 0) throw new Error(`Cannot parse Dockerfile: ${instruction.keyword} before FROM`);
    else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

/** @returns the texts of a stage's instructions of one kind, in their order */
export function textsOf({ instructions }: Stage, keyword: string): string[] {
  return instructions.filter((instruction) => instruction.keyword === keyword).map(({ text }) => text);
}

/** @returns what the stage says of the image. @throws when its entry point is no list */
export function configOf(stage: Stage): ImageConfig {
  const labels = textsOf(stage, "LABEL").join(" ").matchAll(/(\S+?)="([^"]*)"/g);
  return {
    User: textsOf(stage, "USER").at(-1) ?? "root",
    Entrypoint: JSON.parse(textsOf(stage, "ENTRYPOINT").at(-1) ?? "[]"),
    Labels: Object.fromEntries([...labels].map(([, name = "", value = ""]) => [name, value])),
  };
}

function parseInstructions(text: string): Instruction[] {
  const lines = text.split("\n").filter((line) => !/^\s*#/.test(line)).join("\n").replaceAll(/\\\n\s*/g, "").split(
    "\n",
  );
  return lines.filter((line) => line.trim() !== "").map((line) => {
    const [, keyword = "", rest = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    return { keyword: keyword.toUpperCase(), text: rest.trim() };
  });
}
