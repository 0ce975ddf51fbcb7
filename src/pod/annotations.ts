/** What all of flock's annotations on pods have in common. */

/** What the keys of flock's annotations start with. */
export const ANNOTATION_PREFIX = "flock.fritzlab.net/";

/** Longest value that is parsed; Kubernetes allows 256 KiB of annotations. */
export const MAX_ANNOTATION_LENGTH = 4096;
/** Most entries of a list. */
export const MAX_ANNOTATION_ENTRIES = 64;

/** The rule that both limits are, as the end of a sentence. */
export const SIZE_RULE = `must have at most ${MAX_ANNOTATION_LENGTH} characters and ${MAX_ANNOTATION_ENTRIES} entries`;

/** @returns how messages name an annotation, its key given without the prefix */
export function annotationField(key: string): string {
  return `annotation ${ANNOTATION_PREFIX}${key}`;
}

/** @returns the entries of a comma-separated list without the spaces around them, or undefined when it is over the limits */
export function splitList(text: string): readonly string[] | undefined {
  if (text.length > MAX_ANNOTATION_LENGTH) return undefined;
  const entries = text.trim() === "" ? [] : text.split(",").map((entry) => entry.trim());
  return entries.length > MAX_ANNOTATION_ENTRIES ? undefined : entries;
}
