import type { PasswordFiles } from "../bird/password_files.ts";
import type { BgpPeer } from "../nodeconfig/node_config.ts";

export interface PasswordsRead {
  /** file -> the password in it */
  readonly passwords: ReadonlyMap<string, string>;
  /** Why peers have no session; names no password. */
  readonly problems: readonly string[];
}

/** Reads the passwords that the peers name. */
export function readPasswords(peers: readonly BgpPeer[], files: Pick<PasswordFiles, "read">): PasswordsRead {
  const readings = peers.flatMap(({ address, password }) =>
    password === undefined ? [] : [{ address, file: password.file, reading: files.read(password.file) }]
  );
  return {
    passwords: new Map(
      readings.flatMap(({ file, reading }) => "password" in reading ? [[file, reading.password]] : []),
    ),
    problems: readings.flatMap(({ address, reading }) =>
      "problem" in reading ? [`no session with ${address.text}: ${reading.problem}`] : []
    ),
  };
}
