/** What `flock install --help` prints. */
export const INSTALL_USAGE = `Usage: flock install

Copies /usr/local/bin/flock, where flock's image has it, to /opt/cni/bin/flock, where runtimes look for it; in a pod
that is the node's directory, mounted. The copy takes its place by a rename once it is whole and on the disk: at no
moment is there none, or half of one, whatever happens meanwhile. What is there already is left alone. The CNI
configuration is the agent's, who writes it when the node can serve.

  --help  this text
`;

/** What `flock uninstall --help` prints. */
export const UNINSTALL_USAGE = `Usage: flock uninstall [--force] [--keep-bgp-routes]

Removes from this node: /etc/cni/net.d/01-flock.conflist, the links of pods, flock's routes, next hops and nft tables,
169.254.1.1 on lo, the routes that BIRD has learned, /run/flock, /var/lib/flock, /etc/flock with all that is in it, and
/opt/cni/bin/flock itself. Sysctls stay as they are until the next reboot: others may rely on them by now.

Drain the node, then take the label flock.fritzlab.net/agent from it: this refuses while the agent or BIRD runs, and
while there are pods. From then on the runtime uses the next configuration in /etc/cni/net.d, or none.

  --force            remove the links of pods that are there: they have no network from then on, until they are deleted;
                     without another CNI plugin's configuration the runtime cannot delete them
  --keep-bgp-routes  leave the routes of protocol bird: another BIRD, as Calico's, cannot tell its own ones from flock's
  --help             this text
`;
