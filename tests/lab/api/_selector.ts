/** Field and label selectors: text -> predicate. */
import { type StoredObject, valueAt } from "./_object.ts";
import { StatusError } from "./_status_error.ts";

export type Predicate = (object: StoredObject) => boolean;

/** @param supported the paths that the resource can be selected by. @throws StatusError 400 for others */
export function parseFieldSelector(text: string, supported: readonly string[]): Predicate {
  const terms = text.split(",").filter((term) => term !== "").map((term) => {
    const match = /^([\w.]+)(==|!=|=)(.*)$/.exec(term);
    const [, path = "", operator, value] = match ?? [];
    if (match === null) throw new StatusError(400, "BadRequest", `invalid selector: ${term}`);
    if (!supported.includes(path)) throw new StatusError(400, "BadRequest", `field label not supported: ${path}`);
    return (object: StoredObject) => (String(valueAt(object, path) ?? "") === value) === (operator !== "!=");
  });
  return (object) => terms.every((term) => term(object));
}

/** Understands `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a` and `!a`. @throws StatusError 400 for others */
export function parseLabelSelector(text: string): Predicate {
  const terms = (text.match(/[^,(]+(\([^)]*\))?/g) ?? []).map((term) => parseLabelTerm(term.trim()));
  return (object) => terms.every((term) => term(object));
}

function parseLabelTerm(term: string): Predicate {
  const label = (object: StoredObject, key: string): string | undefined => object.metadata.labels?.[key];
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(term);
  if (set !== null) {
    const [, key = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    return (object) => values.includes(label(object, key) ?? "\0") === (operator === "in");
  }
  const match = /^(!?)([\w./-]+)(?:(==|!=|=)([\w.-]*))?$/.exec(term);
  if (match === null) throw new StatusError(400, "BadRequest", `unable to parse requirement: ${term}`);
  const [, not, key = "", operator, value] = match;
  if (operator === undefined) return (object) => (label(object, key) === undefined) === (not === "!");
  return (object) => (label(object, key) === value) === (operator !== "!=");
}
