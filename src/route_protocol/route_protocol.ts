/**
 * The protocol number of every route that flock puts into the kernel: how flock tells its routes from everybody else's after
 * it has lost all memory. Free in the kernel's rtnetlink.h and in iproute2's rt_protos (BIRD has 12, FRR 186 to 199).
 */
export const ROUTE_PROTOCOL = 70;

/** The metric of flock's routes to pods: below BIRD's 32, so that a local pod wins over a copy of its route heard from a router. */
export const POD_ROUTE_METRIC = 20;
