/** nft's words for what becomes of a packet. */
export const PLAIN_VERDICTS = ["accept", "drop", "return", "continue"] as const;
/** Those that name a chain. */
export const CHAIN_VERDICTS = ["jump", "goto"] as const;
/** Protocol number -> name */
export const PROTOCOL_NAMES: ReadonlyMap<string, string> = new Map([["6", "tcp"], ["17", "udp"], ["132", "sctp"]]);
