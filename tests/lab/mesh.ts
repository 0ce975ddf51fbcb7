/** Who reaches whom in the lab: servers and clients in any network namespace, asked by the hundred at once. */
import { type Answer, MeshServers, type SeenInit, type Server } from "./_mesh_servers.ts";
import { sctpInit } from "./sctp_init.ts";
import { familyOf, type Socket, type SocketProtocol, Sockets } from "./sockets.ts";
import { pause } from "./until.ts";

export type { Answer, Server };

/** One request. */
export interface Flow {
  /** The client's: a path such as `/proc/PID/ns/net`. */
  readonly netns: string;
  /** The client's address; absent: what its kernel chooses. Needed for SCTP. */
  readonly source?: string;
  readonly protocol: SocketProtocol;
  readonly to: string;
  readonly port: number;
  /** Of a datagram. Default 1. */
  readonly bytes?: number;
}

/** A TCP connection to a server, which returns what it is sent. */
export interface Connection extends Disposable {
  readonly answer: Answer;
  /** @returns how many bytes of the text came back before `timeoutMs` (default 2000) was over */
  exchange(text: string, options?: { readonly timeoutMs?: number }): Promise<number>;
}

/** How long silence must last before it is taken for one. While other answers still come, it does not count. */
const QUIET_MS = 200;
const CONNECT_MS = 1000;
const PUMP_MS = 2;
const FIRST_PORT = 33_000;
const PORTS = 27_000;

/** A request that has no answer yet. */
interface Pending {
  readonly flow: Flow;
  readonly socket: Socket;
  readonly sourcePort: number;
  readonly answered: (answer: Answer) => void;
}

/** Holds its servers, and serves them while the process is not busy with something else. */
export class Mesh implements Disposable {
  readonly #sockets = new Sockets();
  readonly #servers = new MeshServers(this.#sockets);
  readonly #pending = new Set<Pending>();
  // flow -> how often it was asked: every time from a port of its own, which no connection tracking remembers
  readonly #asked = new Map<string, number>();
  readonly #timer = setInterval(() => this.#pump(), PUMP_MS);

  /** Starts a server, on an address that is there. */
  serve(server: Server): void {
    this.#servers.serve(server);
  }

  /**
   * Asks all at once.
   *
   * @param isExpected whether an answer to the flow of that index is what the caller hopes for. With the first that is
   * not, the rest
   *   is not waited for
   * @returns an answer for each flow, in order; undefined for silence
   * @throws when a connection is refused: then nothing serves there, or something rejects what should be dropped
   */
  async probe(
    flows: readonly Flow[],
    isExpected: (index: number) => boolean = () => true,
  ): Promise<readonly (Answer | undefined)[]> {
    const answers: (Answer | undefined)[] = flows.map(() => undefined);
    let [heard, open] = [0, true];
    const asked = flows.map((flow, index) =>
      this.#ask(flow, (answer) => {
        answers[index] = answer;
        heard = performance.now();
        open &&= isExpected(index);
      })
    );
    heard = performance.now();
    try {
      while (open && answers.includes(undefined) && performance.now() - heard < QUIET_MS) await pause(PUMP_MS);
      const refused = asked.find((pending, index) => answers[index] === undefined && this.#isRefused(pending));
      if (refused === undefined) return answers;
      throw new Error(`Cannot reach ${refused.flow.to} port ${refused.flow.port}: refused`);
    } finally {
      for (const pending of asked) {
        this.#pending.delete(pending);
        this.#sockets.close(pending.socket);
      }
    }
  }

  /** Opens a TCP connection that stays. @throws when there is no answer within a second */
  async connect(flow: Omit<Flow, "protocol">): Promise<Connection> {
    let answer: Answer | undefined;
    const pending = this.#ask({ ...flow, protocol: "tcp" }, (given) => answer = given);
    const deadline = performance.now() + CONNECT_MS;
    while (answer === undefined && performance.now() < deadline) await pause(PUMP_MS);
    this.#pending.delete(pending);
    if (answer !== undefined) return connectionOf(this.#sockets, pending.socket, answer);
    this.#sockets.close(pending.socket);
    throw new Error(`Cannot connect to ${flow.to} port ${flow.port}: there is no answer`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#sockets[Symbol.dispose]();
  }

  #ask(flow: Flow, answered: Pending["answered"]): Pending {
    const { netns, source, protocol, to, port, bytes = 1 } = flow;
    const family = familyOf(to);
    const socket = this.#sockets.open(netns, { family, protocol });
    const sourcePort = this.#freshPort(flow);
    const pending = { flow, socket, sourcePort, answered };
    this.#pending.add(pending);
    const address = source ?? (family === 4 ? "0.0.0.0" : "::");
    this.#sockets.bind(socket, { address, port: protocol === "sctp" ? 0 : sourcePort });
    if (protocol === "sctp") this.#sockets.send(socket, sctpInit(sourcePort, port), { address: to, port: 0 });
    else this.#sockets.connect(socket, { address: to, port });
    if (protocol === "udp") this.#sockets.send(socket, new Uint8Array(bytes));
    return pending;
  }

  #freshPort({ netns, source, protocol, to, port }: Flow): number {
    const key = [netns, source, protocol, to, port].join();
    const count = this.#asked.get(key) ?? 0;
    this.#asked.set(key, count + 1);
    return FIRST_PORT + count % PORTS;
  }

  #isRefused({ flow, socket }: Pending): boolean {
    return flow.protocol === "tcp" && this.#sockets.isClosed(socket);
  }

  /** Gives everybody a turn. */
  #pump(): void {
    for (const init of this.#servers.pump()) {
      [...this.#pending].find((pending) => isAskedBy(init, pending))?.answered(init.answer);
    }
    for (const { flow, socket, answered } of this.#pending) {
      const bytes = flow.protocol === "sctp" ? undefined : this.#sockets.receive(socket)?.bytes;
      if (bytes !== undefined && bytes.length > 0) answered(JSON.parse(new TextDecoder().decode(bytes)));
    }
  }
}

function connectionOf(sockets: Sockets, socket: Socket, answer: Answer): Connection {
  return {
    answer,
    exchange: async (text, { timeoutMs = 2000 } = {}) => {
      const deadline = performance.now() + timeoutMs;
      let [rest, returned] = [new TextEncoder().encode(text), 0];
      while (returned < text.length && performance.now() < deadline) {
        rest = rest.subarray(sockets.send(socket, rest));
        for (let size; (size = sockets.receive(socket)?.bytes.length ?? 0) > 0;) returned += size;
        await pause(PUMP_MS);
      }
      return returned;
    },
    [Symbol.dispose]: () => sockets.close(socket),
  };
}

function isAskedBy({ answer, sourcePort, at }: SeenInit, pending: Pending): boolean {
  const { protocol, source, to, port } = pending.flow;
  const isFlow = protocol === "sctp" && source === answer.source && to === at.address && port === at.port;
  return isFlow && sourcePort === pending.sourcePort;
}
