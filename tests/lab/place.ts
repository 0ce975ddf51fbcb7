/**
 * A place of the lab: network, mount, pid and host name namespaces of its own. Nothing of it has a name on the machine; all of
 * it hangs on one process, the init of the pid namespace. When that one dies, by our hand or anybody's, the kernel ends every
 * process of the place, containers included, and takes links, routes, nft tables and mounts down with it.
 */
import { type CommandResult, type CommandRunner, expectSuccess } from "../../src/exec/command_runner.ts";
import { type Daemon, type Holder, spawnDaemon, spawnHolder } from "./process.ts";

export interface ExecOptions {
  readonly stdin?: string;
  /** Default 10 000. */
  readonly timeoutMs?: number;
  /** Added to the place's own. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Place extends AsyncDisposable {
  readonly name: string;
  /** Its init, as the machine counts; `/proc/PID/ns/net` is the place's network. */
  readonly pid: number;
  /** Runs a command inside to its end. @returns its exit code and output, whatever the code */
  exec(argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** Like exec, but @throws CommandFailed unless the exit code is 0. @returns standard output */
  output(argv: readonly string[], options?: ExecOptions): Promise<string>;
  /** Starts a long-running process inside; its output is appended to `logs/PLACE-NAME.log` of the lab. */
  spawn(name: string, argv: readonly string[], options?: Pick<ExecOptions, "env">): Promise<Daemon>;
  /** @returns the path under which this process reaches a file of the place, e.g. a unix socket */
  outside(path: string): string;
  /** Writes a file of the place, with its directories. */
  write(path: string, text: string): Promise<void>;
  /** @returns the text of a file of the place */
  read(path: string): Promise<string>;
  /** @returns the words that enter the place from a shell of the machine: put a command behind them */
  entrance(): [string, ...string[]];
}

export interface PlaceOptions {
  readonly name: string;
  /** Of the lab: `logs/` lies in it, and it is the one directory of the machine that a place can write to. */
  readonly labDir: string;
  /** Tells this lab's init processes from all others, in their command line. */
  readonly marker: string;
  readonly runner: CommandRunner;
  /** Directories that get a tmpfs of their own. */
  readonly tmpfs?: readonly string[];
  /** Of every process inside, beside `PATH` and `LC_ALL`: what Deno needs to find its cache. */
  readonly env: Readonly<Record<string, string>>;
  /** Below /proc/sys. */
  readonly sysctls?: Readonly<Record<string, string>>;
}

/**
 * $0: marker, $1: lab directory, $2: host name, $3: tmpfs directories, then `file=value` for each sysctl. /run is new, /etc, /opt and
 * /var are overlays, so that nothing of the machine changes, not even a mount point's directory. Named network namespaces
 * of the machine are let go: a mount of one here would keep it alive. An ignored SIGCHLD makes the kernel reap orphans.
 */
const HOLDER_SCRIPT = `
exec 2>&1
set -eu
read -r pid _ </proc/self/stat
mount -t proc proc /proc
hostname "$2"
umount -R -l /run/netns 2>/dev/null || true
mount -t tmpfs flock-lab /mnt
mkdir -p "/mnt/$1" && mount --bind "$1" "/mnt/$1"
mkdir -p /mnt/run
for d in etc opt var; do
  mkdir -p /mnt/$d/up /mnt/$d/work
  mount -t overlay flock-lab -o lowerdir=/$d,upperdir=/mnt/$d/up,workdir=/mnt/$d/work /$d
done
mount --rbind /mnt/run /run
umount -l /mnt
mkdir -p /run/lock /run/netns $3
for d in $3; do mount -t tmpfs flock-lab "$d"; done
mount --make-rshared /
marker=$0
shift 3
for s in "$@"; do echo "\${s#*=}" >"/proc/sys/\${s%%=*}"; done
trap '' CHLD
echo "ready $pid"
exec -a "$marker" sleep infinity
`;

/** Makes a place with a loopback interface that is down and nothing else in its network. */
export async function createPlace(options: PlaceOptions): Promise<Place> {
  const { name, labDir, marker, tmpfs = [], sysctls = {} } = options;
  const holder = await spawnHolder([
    ...["unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child=KILL"],
    ...["bash", "-c", HOLDER_SCRIPT, marker, labDir, name, tmpfs.join(" ")],
    ...Object.entries(sysctls).map(([file, value]) => `${file}=${value}`),
  ]);
  return placeOf(options, holder);
}

function placeOf({ name, labDir, runner, env: placeEnv }: PlaceOptions, { pid, end }: Holder): Place {
  const daemons: Daemon[] = [];
  const entrance = (): [string, ...string[]] => ["/usr/bin/nsenter", "-t", `${pid}`, "-m", "-n", "-u", "-p", "--"];
  const outside = (path: string): string => `/proc/${pid}/root${path}`;
  const exec = (argv: readonly string[], { env, ...options }: ExecOptions = {}): Promise<CommandResult> =>
    runner.run([...entrance(), ...tethered(argv, { ...placeEnv, ...env })], options);
  return {
    name,
    pid,
    entrance,
    outside,
    exec,
    output: async (argv, options) => {
      const [file = "", ...args] = argv;
      return expectSuccess([file, ...args], await exec(argv, options)).stdout;
    },
    spawn: async (daemon, argv, { env } = {}) => {
      const logPath = `${labDir}/logs/${name}-${daemon}.log`;
      const redirected = ["/bin/sh", "-c", 'exec "$@" >>"$0" 2>&1', logPath, ...argv];
      const spawned = await spawnDaemon([...entrance(), ...tethered(redirected, { ...placeEnv, ...env })], {
        name: daemon,
        logPath,
      });
      daemons.push(spawned);
      return spawned;
    },
    write: async (path, text) => {
      await Deno.mkdir(outside(path.replace(/\/[^/]*$/, "")), { recursive: true });
      await Deno.writeTextFile(outside(path), text);
    },
    read: (path) => Deno.readTextFile(outside(path)),
    [Symbol.asyncDispose]: async () => {
      for (const daemon of daemons) daemon.signal("SIGKILL");
      await end();
      await Promise.all(daemons.map(({ ended }) => ended));
    },
  };
}

/** A killed `nsenter` takes the process that it waits for with it. */
function tethered(argv: readonly string[], env: Readonly<Record<string, string>>): string[] {
  const variables = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env };
  const assignments = Object.entries(variables).map(([key, value]) => `${key}=${value}`);
  return ["/usr/bin/setpriv", "--pdeathsig", "KILL", "/usr/bin/env", ...assignments, ...argv];
}
