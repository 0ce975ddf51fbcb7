import { assertEquals } from "@std/assert";
import { Trend } from "./trend.ts";

/** @returns what the last of these looks showed */
function after(values: readonly number[], name = "fds"): string[] {
  const trend = new Trend();
  return values.map((value) => trend.add("agent 1", { [name]: value })).at(-1) ?? [];
}

Deno.test("Trend names what rises round by round and never falls, after the warm-up", () => {
  assertEquals(after([20, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48]), ["agent 1: fds only ever rises"]);
  assertEquals(after([90, 90, 90, 100, 100, 102, 104, 106, 106, 110, 114], "residentMiB").length, 1);
});

Deno.test("Trend says nothing of a warm-up, of what falls back, of one step, or of what stays within its play", () => {
  assertEquals(after([20, 30, 40, 50, 60, 70, 80, 90, 99, 99]), []);
  assertEquals(after([40, 40, 40, 41, 44, 43, 45, 46, 47, 48, 49]), []);
  assertEquals(after([40, 40, 40, 41, 41, 41, 41, 50, 50, 50, 50]), []);
  assertEquals(after([40, 40, 40, 40, 41, 42, 43, 44, 45, 45, 45]), []);
  assertEquals(after([84, 85, 85, 86, 88, 90, 92, 94, 96, 97, 98], "residentMiB"), []);
});

Deno.test("Trend names what is for good above what it was, however it got there", () => {
  const [warmUp, first] = [[20, 20, 20], [40, 41, 42, 41, 40, 41, 41, 40]];
  const late = [49, 48, 49, 48, 49, 48, 49, 48];
  assertEquals(after([...warmUp, ...first, ...late]), ["agent 1: fds has risen for good"]);
  assertEquals(after([...warmUp, ...first, ...late.with(3, 47)]), []);
});

Deno.test("Trend does not compare a process with its predecessor", () => {
  const trend = new Trend();
  const values = Array.from({ length: 20 }, (_, index) => 40 + index);
  assertEquals(values.flatMap((fds, index) => trend.add(`agent ${index}`, { fds })), []);
});
