// deno-lint-ignore-file no-console -- a program whose output is read
/**
 * Says who answers, in the network namespace that it runs in: `deno run -A responder.ts NAME PORT ADDRESS...`. A datagram is answered
 * with the name and what it held, from the address that it came to; a TCP connection with the name. Prints `ready` once it listens.
 */
import { createSocket } from "node:dgram";

interface Service {
  readonly name: string;
  readonly port: number;
  /** A socket of its own for each: one for all would answer from the address that the route prefers. */
  readonly address: string;
}

async function main([name = "", port = "", ...addresses]: readonly string[]): Promise<void> {
  const services = addresses.map((address): Service => ({ name, port: Number(port), address }));
  await Promise.all(services.map(answerDatagrams));
  for (const service of services) answerConnections(service);
  console.log("ready");
}

function answerDatagrams({ name, port, address }: Service): Promise<void> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (request, from) => socket.send(`${name} ${request}`, from.port, from.address));
  return new Promise((resolve, reject) => socket.on("error", reject).bind({ port, address }, resolve));
}

async function answerConnections({ name, port, address }: Service): Promise<void> {
  for await (const connection of Deno.listen({ hostname: address, port })) {
    await connection.write(new TextEncoder().encode(name)).catch(() => {});
    connection.close();
  }
}

if (import.meta.main) main(Deno.args);
