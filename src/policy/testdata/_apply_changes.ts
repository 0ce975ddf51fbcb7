/** A table to which changes are applied as a kernel would: what does not fit is refused. */
import { assert, assertEquals } from "@std/assert";
import type { Change, PolicyChanges } from "../policy_changes.ts";
import type { PolicyTable } from "../policy_table.ts";

export const EMPTY_TABLE: PolicyTable = { sets: new Map(), chains: new Map(), pods: new Map() };

/** @returns the table after the changes. @throws when they do not start from the table */
export function applyChanges(table: PolicyTable, changes: PolicyChanges): PolicyTable {
  return {
    sets: applySets(table.sets, changes.sets),
    chains: applyEach(table.chains, changes.chains),
    pods: applyEach(table.pods, changes.pods),
  };
}

function applySets(before: PolicyTable["sets"], changes: PolicyChanges["sets"]): PolicyTable["sets"] {
  const sets = new Map(before);
  for (const [name, { type, before: was, after, added, removed }] of changes) {
    const set = sets.get(name);
    assertEquals(set?.elements.size, was?.elements, name);
    if (set !== undefined) assertEquals(set.type, type);
    const held = new Set(set?.elements);
    for (const element of added) assert(!held.has(element), `${element} was in ${name} already`);
    for (const element of added) held.add(element);
    for (const element of removed) assert(held.delete(element), `${element} was not in ${name}`);
    if (after === undefined) sets.delete(name);
    else {
      assertEquals(held.size, after.elements, name);
      sets.set(name, { type, elements: held });
    }
  }
  return sets;
}

function applyEach<T>(before: ReadonlyMap<string, T>, changes: ReadonlyMap<string, Change<T>>): Map<string, T> {
  const things = new Map(before);
  for (const [name, change] of changes) {
    assertEquals(things.get(name), change.before, name);
    if (change.after === undefined) things.delete(name);
    else things.set(name, change.after);
  }
  return things;
}
