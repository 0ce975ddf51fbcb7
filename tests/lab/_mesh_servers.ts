import { parseSctpInit } from "./sctp_init.ts";
import type { Socket, SocketProtocol, Sockets } from "./sockets.ts";
import { familyOf } from "./sockets.ts";

export interface Server {
  /** What it calls itself. */
  readonly name: string;
  /** A path such as `/proc/PID/ns/net`. */
  readonly netns: string;
  readonly protocol: SocketProtocol;
  readonly address: string;
  readonly port: number;
}

/** What a server says of a request. Those of SCTP say it behind the network's back: the kernel has no such answer. */
export interface Answer {
  /** The server's name. */
  readonly by: string;
  /** The client, as the server sees it. */
  readonly source: string;
}

/** An SCTP server was asked for an association. */
export interface SeenInit {
  readonly answer: Answer;
  readonly sourcePort: number;
  readonly at: Server;
}

interface Listening extends Server {
  readonly socket: Socket;
}

/**
 * The servers of a mesh: each answers a datagram with an Answer, and greets a connection with one and then returns what
 * it is sent.
 */
export class MeshServers {
  readonly #servers: Listening[] = [];
  // accepted connection -> what is still to be returned on it
  readonly #accepted = new Map<Socket, Uint8Array<ArrayBuffer>[]>();

  constructor(private readonly sockets: Sockets) {}

  /** Starts one, on an address that is there. A raw socket of SCTP sees all ports, and takes what is for its own. */
  serve(server: Server): void {
    const { netns, protocol, address, port } = server;
    const socket = this.sockets.open(netns, { family: familyOf(address), protocol });
    this.sockets.bind(socket, { address, port: protocol === "sctp" ? 0 : port });
    if (protocol === "tcp") this.sockets.listen(socket);
    this.#servers.push({ ...server, socket });
  }

  /** Gives each its turn. @returns the associations that were asked for */
  pump(): SeenInit[] {
    for (const [socket, unsent] of this.#accepted) this.#echo(socket, unsent);
    return this.#servers.flatMap((server) => {
      if (server.protocol === "sctp") return this.#initsAt(server);
      if (server.protocol === "tcp") this.#accept(server);
      else this.#answerDatagrams(server);
      return [];
    });
  }

  #accept({ socket, name }: Listening): void {
    for (let found; (found = this.sockets.accept(socket)) !== undefined;) {
      this.#accepted.set(found.socket, [bytesOf({ by: name, source: found.from.address })]);
    }
  }

  #answerDatagrams({ socket, name }: Listening): void {
    for (let found; (found = this.sockets.receive(socket)) !== undefined;) {
      this.sockets.send(socket, bytesOf({ by: name, source: found.from.address }), found.from);
    }
  }

  #initsAt({ socket, ...server }: Listening): SeenInit[] {
    const seen: SeenInit[] = [];
    for (let found; (found = this.sockets.receive(socket)) !== undefined;) {
      const { bytes, from: { address } } = found;
      const header = familyOf(server.address) === 4 ? 4 * ((bytes[0] ?? 0) & 15) : 0; // raw(7) has it, ipv6(7) has not
      const init = parseSctpInit(bytes.subarray(header));
      if (init?.destinationPort !== server.port) continue;
      seen.push({ answer: { by: server.name, source: address }, sourcePort: init.sourcePort, at: server });
    }
    return seen;
  }

  /** Returns what has come, and what could not be returned before. */
  #echo(socket: Socket, unsent: Uint8Array<ArrayBuffer>[]): void {
    let ended = this.sockets.isClosed(socket);
    for (let found; !ended && (found = this.sockets.receive(socket)) !== undefined;) {
      if (found.bytes.length === 0) ended = true;
      else unsent.push(new Uint8Array(found.bytes));
    }
    for (let next; !ended && (next = unsent.shift()) !== undefined;) {
      const rest = next.subarray(this.sockets.send(socket, next));
      if (rest.length > 0) return void unsent.unshift(rest);
    }
    if (!ended) return;
    this.#accepted.delete(socket);
    this.sockets.close(socket);
  }
}

function bytesOf(answer: Answer): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(answer));
}
