import { type AgentSnapshot, SNAPSHOT_VERB, SNAPSHOT_VERSION } from "../snapshot/agent_snapshot.ts";
import { Silent } from "./sources.ts";

/** How long the agent has for its answer, in milliseconds: an operator waits, and the node may be busy. */
const TIMEOUT_MS = 5_000;

/**
 * Asks the agent what it knows.
 *
 * @param path of its socket
 * @throws Silent when nobody answers
 */
export async function readAgent(path: string): Promise<AgentSnapshot> {
  const connection = await connect(path);
  const late = Promise.withResolvers<never>();
  const state = `no answer in ${TIMEOUT_MS / 1000} s`;
  const timeout = setTimeout(() => late.reject(new Silent(state)), TIMEOUT_MS);
  try {
    return parseAnswer(await Promise.race([exchange(connection), late.promise]));
  } finally {
    clearTimeout(timeout);
    connection.close();
  }
}

async function connect(path: string): Promise<Deno.UnixConn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Silent(`no agent has made ${path}`, { cause: error });
    if (error instanceof Deno.errors.ConnectionRefused) {
      throw new Silent(`nobody listens on ${path}`, { cause: error });
    }
    throw error;
  }
}

async function exchange(connection: Deno.UnixConn): Promise<string> {
  await connection.write(new TextEncoder().encode(`${JSON.stringify({ verb: SNAPSHOT_VERB })}\n`));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

function parseAnswer(text: string): AgentSnapshot {
  if (text === "") throw new Silent("it closed the connection without an answer");
  const answer: { ok: boolean; result?: AgentSnapshot; msg?: string } = JSON.parse(text);
  if (!answer.ok || answer.result === undefined) throw new Error(`it answers: ${answer.msg}`);
  const { version } = answer.result;
  if (version === SNAPSHOT_VERSION) return answer.result;
  throw new Error(`it speaks version ${version}, this is version ${SNAPSHOT_VERSION}: use the agent's own executable`);
}
