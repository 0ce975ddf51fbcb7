import { PASSWORD_DIR } from "../paths/paths.ts";

/** What TCP MD5 takes (RFC 2385, and Linux' TCP_MD5SIG_MAXKEYLEN), and what BIRD reads as a text between quotes. */
const PASSWORD = /^[ !#-~]{1,80}$/;

/** A password, or why there is none. */
export type PasswordReading = { readonly password: string } | { readonly problem: string };

/**
 * The passwords of BGP sessions, one file each. Read anew each time, for a Secret that changes is a file that changes. One that
 * could be read before and cannot be now stays what it was: a session that is up should not fall with a file.
 */
export class PasswordFiles {
  // file -> the last password that it held
  readonly #known = new Map<string, string>();

  constructor(private readonly directory: string = PASSWORD_DIR) {}

  /** @param file a name without a slash. Blocks for a read of a small file; never throws, and names no password */
  read(file: string): PasswordReading {
    const reading = this.#readNow(file);
    if ("password" in reading) this.#known.set(file, reading.password);
    const known = this.#known.get(file);
    return known === undefined ? reading : { password: known };
  }

  #readNow(file: string): PasswordReading {
    try {
      const password = Deno.readTextFileSync(`${this.directory}/${file}`).replace(/\r?\n$/, "");
      return PASSWORD.test(password) ? { password } : {
        problem: `password file "${file}" must hold 1 to 80 printable ASCII characters, none of them a double quote`,
      };
    } catch (error) {
      const why = error instanceof Deno.errors.NotFound ? "there is no such file" : String(error);
      return { problem: `password file "${file}": ${why}` };
    }
  }
}
