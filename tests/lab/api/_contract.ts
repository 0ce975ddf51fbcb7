/** What flock and its tests rely on in an API server; each case runs against the embedded and the real one. */
import { assertEquals } from "@std/assert";
import type { Answer, ApiClient } from "./_client.ts";
import { type Json, valueAt } from "./_object.ts";
import type { ApiServer } from "./api_server.ts";

export interface Subject {
  readonly server: ApiServer;
  readonly client: ApiClient;
}

/** Cases leave the server as they found it but for objects; each uses names of its own. */
export interface Case {
  readonly title: string;
  readonly run: (subject: Subject) => Promise<void>;
}

export const PODS = "/api/v1/namespaces/default/pods";
export const NODES = "/api/v1/nodes";
export const EVENTS = "/api/v1/namespaces/default/events";
export const NODE_CONFIGS = "/apis/flock.fritzlab.net/v1alpha1/nodeconfigs";
export const MERGE = "application/merge-patch+json";
export const STRATEGIC = "application/strategic-merge-patch+json";

export function pod(name: string, nodeName?: string, labels: Record<string, string> = {}): Json {
  const containers = [{ name: "c", image: "docker.io/local/pause:1" }];
  return { metadata: { name, labels }, spec: { containers, ...(nodeName === undefined ? {} : { nodeName }) } };
}

export function nodeConfig(name: string, spec: unknown = { cidr4: ["203.0.113.0/24"] }): Json {
  return { apiVersion: "flock.fritzlab.net/v1alpha1", kind: "NodeConfig", metadata: { name }, spec };
}

/** Makes an object. @returns it as stored */
export async function make({ client }: Subject, path: string, body: Json): Promise<unknown> {
  const answer = await client.call("POST", path, { body });
  assertEquals(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}

export async function patch({ client }: Subject, path: string, body: Json, contentType = MERGE): Promise<Answer> {
  return await client.call("PATCH", path, { body, contentType });
}

export async function remove({ client }: Subject, path: string): Promise<void> {
  assertEquals((await client.call("DELETE", path, { body: { gracePeriodSeconds: 0 } })).status, 200);
}

export async function versionOf({ client }: Subject, path: string): Promise<string> {
  const { status, body } = await client.call("GET", path);
  assertEquals(status, 200, JSON.stringify(body));
  return String(valueAt(body, "metadata.resourceVersion"));
}

export function items(answer: Answer): unknown[] {
  const list = valueAt(answer.body, "items");
  return Array.isArray(list) ? list : [];
}

export function namesOf(answer: Answer): string[] {
  return items(answer).map((item) => String(valueAt(item, "metadata.name")));
}
