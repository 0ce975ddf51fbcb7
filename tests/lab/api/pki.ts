/** Certificates and tokens of a lab's API server, made anew for each. */
import { run } from "./_process.ts";
import type { Access, ApiOptions } from "./api_server.ts";

/** Files of one server. */
export interface Credentials {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** In kube-apiserver's format for `--token-auth-file`. */
  readonly tokenFile: string;
  readonly tokens: Access["tokens"];
}

const EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes an authority, a server certificate for the hosts, and a token for each user, all in `dir`. */
export async function makeCredentials(
  dir: string,
  options: { hosts: readonly string[]; users: NonNullable<ApiOptions["users"]> },
): Promise<Credentials> {
  const [caFile, certFile, keyFile] = [`${dir}/ca.crt`, `${dir}/apiserver.crt`, `${dir}/apiserver.key`];
  const [caKey, request, extensions] = [`${dir}/ca.key`, `${dir}/apiserver.csr`, `${dir}/apiserver.ext`];
  await openssl([
    "req",
    "-x509",
    "-days",
    "30",
    "-subj",
    "/CN=flock-lab-ca",
    ...EC_KEY,
    "-keyout",
    caKey,
    "-out",
    caFile,
  ]);
  await openssl(["req", "-subj", "/CN=kube-apiserver", ...EC_KEY, "-keyout", keyFile, "-out", request]);
  const names = [...new Set(options.hosts)].map(alternativeName);
  await Deno.writeTextFile(extensions, `subjectAltName=${names.join(",")}\n`);
  const signing = ["-CA", caFile, "-CAkey", caKey, "-CAcreateserial", "-extfile", extensions];
  await openssl(["x509", "-req", "-days", "30", "-in", request, ...signing, "-out", certFile]);
  const users = { admin: ["system:masters"], ...options.users };
  const tokens = Object.fromEntries(Object.keys(users).map((user) => [user, randomToken()]));
  const tokenFile = `${dir}/tokens.csv`;
  const lines = Object.entries(users).map(([user, groups]) =>
    `${tokens[user]},${user},${user},"${groups.join(",")}"\n`
  );
  await Deno.writeTextFile(tokenFile, lines.join(""), { mode: 0o600 });
  return { caFile, certFile, keyFile, tokenFile, tokens };
}

/**
 * Makes a certificate of a user, signed by the authority that `makeCredentials` left in `dir`.
 *
 * @returns its files, named after `name`
 */
export async function makeClientCertificate(
  dir: string,
  { name, subject }: { readonly name: string; /** `/O=GROUP/CN=USER` */ readonly subject: string },
): Promise<{ certFile: string; keyFile: string }> {
  const [certFile, keyFile, request] = [`${dir}/${name}.crt`, `${dir}/${name}.key`, `${dir}/${name}.csr`];
  await openssl(["req", "-subj", subject, ...EC_KEY, "-keyout", keyFile, "-out", request]);
  const signing = ["-CA", `${dir}/ca.crt`, "-CAkey", `${dir}/ca.key`, "-CAcreateserial"];
  await openssl(["x509", "-req", "-days", "30", "-in", request, ...signing, "-out", certFile]);
  return { certFile, keyFile };
}

async function openssl(args: readonly string[]): Promise<void> {
  await run("/usr/bin/openssl", args);
}

function alternativeName(host: string): string {
  return /^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`;
}

function randomToken(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
