/** Whether the engine carries IPv6 packets. While it does not, findings say so wherever IPv6 is met, and the world keeps its
 * single-stack identity: the kernel counts 9 and 10 as outside of the cluster in dual-stack nodes only. */
export const ENGINE_ROUTES_IPV6: boolean = false;
