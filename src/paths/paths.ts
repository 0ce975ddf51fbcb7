/** Every path that flock uses. They are fixed because the permission sets name them (spec section 1). */

/** What lives as long as the machine is up; belongs to root alone. */
export const RUN_DIR = "/run/flock";
/** Where the agent listens for the plugin and for `inspect`. */
export const AGENT_SOCKET = "/run/flock/agent.sock";
/** One file per container that was deleted while the agent was away. */
export const TOMBSTONE_DIR = "/run/flock/deleted";
/** Names this boot: a tmpfs forgets it with the reboot. */
export const BOOT_ID_FILE = "/run/flock/boot_id";
/** There once a BGP session has come up since boot. */
export const SESSION_MARKER = "/run/flock/session_seen";
/** `/proc/sys/net`, bind-mounted: Deno opens nothing below /proc with less than all permissions. */
export const SYSCTL_DIR = "/run/flock/sys";
/** BIRD's control socket. */
export const BIRD_SOCKET = "/run/flock/bird.ctl";
/** BIRD's directory and its configuration. */
export const CONFIG_DIR = "/etc/flock";
export const BIRD_DIR = "/etc/flock/bird";
export const BIRD_CONFIG = "/etc/flock/bird/bird.conf";
/** Passwords of BGP sessions, one file each: a Secret is mounted there. */
export const PASSWORD_DIR = "/etc/flock/passwords";
/** The agent's durable state. */
export const STATE_DIR = "/var/lib/flock";
export const STATE_FILE = "/var/lib/flock/allocations.json";
/** The NodeConfig that was last in force. */
export const LAST_NODE_CONFIG = "/var/lib/flock/nodeconfig.json";
/** Where the cluster's pods were when the API server was last heard. */
export const LAST_PREFIXES = "/var/lib/flock/prefixes.json";
/** Which namespaces had policies when the API server was last heard. */
export const LAST_POLICIES = "/var/lib/flock/policies.json";
/** What the policies and sets are called whose hashes are in the kernel's table. */
export const POLICY_NAMES = "/var/lib/flock/policy_names.json";
/** Where runtimes look for CNI configurations, and flock's. */
export const CNI_CONFIG_DIR = "/etc/cni/net.d";
export const CONFLIST = "/etc/cni/net.d/01-flock.conflist";
/** Where runtimes look for plugins, flock there, and what `install` makes it of. */
export const CNI_BIN_DIR = "/opt/cni/bin";
export const PLUGIN = "/opt/cni/bin/flock";
export const LOOPBACK_PLUGIN = "/opt/cni/bin/loopback";
export const NEW_PLUGIN = "/opt/cni/bin/.flock.new";
/** The executable in the image, which `install` copies. */
export const IMAGE_EXECUTABLE = "/usr/local/bin/flock";
/** Where runtimes keep named network namespaces. */
export const NETNS_DIR = "/run/netns";

/** The tools, as Debian places them; absolute because the permission to run names them so. */
export const IP = "/usr/sbin/ip";
export const NFT = "/usr/sbin/nft";
export const BIRD = "/usr/sbin/bird";
export const BIRDC = "/usr/sbin/birdc";
