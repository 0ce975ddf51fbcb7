/**
 * Deno's `@std/assert`, typed where it enters: the npm package that carries it here has no types. The import map names this
 * file as `@std/assert`, so that a switch to JSR is a change of that map alone.
 */
import * as untyped from "deno-std/assert/mod.js";

// deno-lint-ignore no-explicit-any -- the error classes that a test names have constructors of every shape
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

interface Assert {
  assert(condition: unknown, message?: string): asserts condition;
  assertEquals<T>(actual: T, expected: T, message?: string): void;
  assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  assertMatch(actual: string, expected: RegExp, message?: string): void;
  assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  assertStringIncludes(actual: string, expected: string, message?: string): void;
  assertArrayIncludes<T>(actual: readonly T[], expected: readonly T[], message?: string): void;
  assertGreater(actual: number, expected: number, message?: string): void;
  assertLess(actual: number, expected: number, message?: string): void;
  assertLessOrEqual(actual: number, expected: number, message?: string): void;
  assertObjectMatch(actual: unknown, expected: unknown, message?: string): void;
  assertThrows<E extends Error>(fn: () => unknown, type: ErrorClass<E>, includes?: string, message?: string): E;
  assertRejects<E extends Error>(
    fn: () => Promise<unknown>,
    type: ErrorClass<E>,
    includes?: string,
    message?: string,
  ): Promise<E>;
  fail(message?: string): never;
}

const std: Assert = untyped;

export const assert: Assert["assert"] = std.assert;
export const assertEquals: Assert["assertEquals"] = std.assertEquals;
export const assertNotEquals: Assert["assertNotEquals"] = std.assertNotEquals;
export const assertExists: Assert["assertExists"] = std.assertExists;
export const assertMatch: Assert["assertMatch"] = std.assertMatch;
export const assertNotMatch: Assert["assertNotMatch"] = std.assertNotMatch;
export const assertStringIncludes: Assert["assertStringIncludes"] = std.assertStringIncludes;
export const assertArrayIncludes: Assert["assertArrayIncludes"] = std.assertArrayIncludes;
export const assertGreater: Assert["assertGreater"] = std.assertGreater;
export const assertLess: Assert["assertLess"] = std.assertLess;
export const assertLessOrEqual: Assert["assertLessOrEqual"] = std.assertLessOrEqual;
export const assertObjectMatch: Assert["assertObjectMatch"] = std.assertObjectMatch;
export const assertThrows: Assert["assertThrows"] = std.assertThrows;
export const assertRejects: Assert["assertRejects"] = std.assertRejects;
export const fail: Assert["fail"] = std.fail;
