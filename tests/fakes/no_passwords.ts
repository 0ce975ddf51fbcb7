import type { PasswordFiles } from "../../src/bird/password_files.ts";

/** No file holds a password. */
export const NO_PASSWORDS: Pick<PasswordFiles, "read"> = { read: () => ({ problem: "there is no such file" }) };
