/** MAC address of every host end, locally administered ("flock" in ASCII): pods have it in their neighbour entries. */
export const HOST_MAC = "02:66:6c:6f:63:6b";
