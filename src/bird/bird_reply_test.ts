import { assertEquals, assertThrows } from "@std/assert";
import { ReplyReader, summarize } from "./bird_reply.ts";
import { parseSessions } from "./parse_sessions.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const ANSWERS = `0001 BIRD 2.0.12 ready.
1000-BIRD 2.0.12
1011-Router ID is 10.1.2.3
 Hostname is caf\u00e9
0013 Daemon is up and running
`;

Deno.test("ReplyReader cuts a stream into answers, wherever it is torn", () => {
  const whole = new ReplyReader().push(bytes(ANSWERS));
  assertEquals(whole.map(({ code }) => code), [1, 13]);
  assertEquals(whole[1]?.lines[2], { code: 1011, text: "Hostname is caf\u00e9" });
  for (let cut = 1; cut < bytes(ANSWERS).length; cut++) {
    const reader = new ReplyReader();
    const pieces = [bytes(ANSWERS).subarray(0, cut), bytes(ANSWERS).subarray(cut)];
    assertEquals(pieces.flatMap((piece) => reader.push(piece)), whole);
  }
});

Deno.test("ReplyReader passes over log lines and refuses what is no line of the protocol", () => {
  assertEquals(new ReplyReader().push(bytes("+<INFO> hello\n0000 \n")).length, 1);
  for (const line of ["HTTP/1.1 400 Bad Request", "12 short", "", " nothing before it"]) {
    assertThrows(() => new ReplyReader().push(bytes(`${line}\n`)), Error, "Cannot read the answer of BIRD");
  }
});

Deno.test("summarize() gives the line that decides", () => {
  const [reply] = new ReplyReader().push(bytes("0002-Reading configuration from /x\n8002 /x:1:1 syntax error\n"));
  assertEquals(reply && summarize(reply), "/x:1:1 syntax error");
});

// As BIRD 2.0.12 gave it, save that the addresses are those of the documentation.
const SESSIONS = `2002-Name       Proto      Table      State  Since         Info
1002-peer4_c0000201 BGP        ---        up     2026-11-21T07:06:26+0100  Established   
1006-  BGP state:          Established
     Neighbor address: 192.0.2.1
     Neighbor AS:      65000
     Local AS:         65101
     Neighbor ID:      192.0.2.1
   Channel ipv4
     State:          UP
     Table:          master4
 
1002-peer6_20010db8000100000000000000000001 BGP        ---        start  07:06:26.578  Active        Socket: Connection refused
1006-  BGP state:          Active
     Neighbor address: 2001:db8:1::1
     Last error:       Socket: Connection refused
   Channel ipv6
     State:          DOWN
 
0000 
`;

Deno.test("parseSessions() reads state, time and error of each session", () => {
  const [reply] = new ReplyReader().push(bytes(SESSIONS));
  const sessions = parseSessions(reply ?? { code: 0, lines: [] });
  assertEquals(sessions.map(({ peer, ...rest }) => ({ peer: peer.text, ...rest })), [
    { peer: "192.0.2.1", state: "Established", established: true, since: "2026-11-21T06:06:26.000Z" },
    { peer: "2001:db8:1::1", state: "Active", established: false, lastError: "Socket: Connection refused" },
  ]);
});
