/**
 * Hides the process's environment from npm packages: imported before `@kubernetes/client-node` and undici, for its effect.
 *
 * Two of the client's dependencies read the environment while they load (undici: `UNDICI_NO_WASM_SIMD`, `UNDICI_USE_MILO`;
 * `debug`, through the SOCKS agents: all of its names), which throws under a permission set that lists names. With an empty one in its place
 * the client needs neither `--allow-env` nor `--allow-sys`, and no variable (`KUBECONFIG`, `DEBUG`) changes what the agent does.
 */
import process from "node:process";

process.env = {};
