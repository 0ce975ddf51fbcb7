import { assertEquals } from "@std/assert";
import type { KubeClient, Watched, WatchTarget } from "../kube/kube_client.ts";
import { WatchBook } from "./watch_book.ts";

Deno.test("WatchBook lists what is followed until it is stopped, with what each watch knows now", () => {
  const stopped: string[] = [];
  const state = { synced: false, lastContact: 5, interruption: "refused" };
  const watch = <T>({ path }: WatchTarget<T>): Watched<T> => ({
    ...{ items: new Map(), onChange: () => () => {}, stop: () => void stopped.push(path) },
    get synced() {
      return state.synced;
    },
    ...{ lastContact: state.lastContact, interruption: state.interruption },
  });
  const inner: KubeClient = {
    ...{ watch, get: () => Promise.resolve(undefined), patchStatus: () => Promise.resolve() },
    ...{ recordEvent: () => {}, stop: () => {} },
  };
  const book = new WatchBook(inner);
  const decode = (): undefined => undefined;
  const pods = book.kube.watch({ path: "/api/v1/pods", fieldSelector: "spec.nodeName=a", decode });
  book.kube.watch({ path: "/apis/networking.k8s.io/v1/networkpolicies", decode });
  assertEquals(book.open.map(({ resource, scope }) => [resource, scope]), [
    ["pods", "node"],
    ["networkpolicies", "cluster"],
  ]);
  state.synced = true;
  assertEquals(book.open.map(({ watched }) => [watched.synced, watched.lastContact, watched.interruption])[0], [
    ...[true, 5, "refused"],
  ]);
  assertEquals(pods.synced, true);
  pods.stop();
  assertEquals(stopped, ["/api/v1/pods"]);
  assertEquals(book.open.map(({ resource }) => resource), ["networkpolicies"]);
});
