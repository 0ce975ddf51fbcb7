import { ROUTE_CONTRACT } from "./_route_contract.ts";
import { MemoryRoutes, MemoryRouteTable } from "./memory_routes.ts";

const links = new Map<string, unknown>();
const table = new MemoryRouteTable(links);
const bench = {
  openRoutes: () => new MemoryRoutes(table),
  addLink: (link: string) => Promise.resolve(void links.set(link, {})),
  removeLink: (link: string) => Promise.resolve(void links.delete(link)),
  removeRoute: (address: string) => Promise.resolve(table.remove(address)),
  show: () => Promise.resolve(table.show()),
};

for (const { title, verify } of ROUTE_CONTRACT) {
  Deno.test(`the routes in memory: ${title}`, () => verify(bench));
}
