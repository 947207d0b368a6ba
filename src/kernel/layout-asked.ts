// Packet: what read-only tables last answered, behind the IPv6 scratch area. Hooks of one node, and of the next, ask the same of
// a packet again and again, and such tables do not change on its way. Each begins with the table, 0: not asked yet.

/** ipcache: table, address, record. */
export const P_ASKED_IPCACHE: i32 = 368;
/** Egress policy: table, source, destination, record. */
export const P_ASKED_POLICY: i32 = 380;
/** Routes: table, source, destination, route. */
export const P_ASKED_ROUTE: i32 = 396;
