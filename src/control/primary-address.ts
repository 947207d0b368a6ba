// Which address of a device plain masquerading uses: the agent's primary one (pkg/datapath/tables/node_address.go).
import type { AddressFamily } from "./address-family.ts";
import type { PrefixOf } from "./tables.ts";

/** A public address wins over a private one; within either kind the node's own address, else the first in the agent's
 * order: secondary addresses last, then by number. None where the device has no address but link-local ones. */
export function primaryAddress<Address extends number | bigint>(
  family: AddressFamily<Address>,
  addresses: readonly PrefixOf<Address>[],
  nodeAddress: Address,
): Address {
  const ranked = addresses
    .map(({ address }, index) => ({ address, public: family.isPublic(address), secondary: isSecondary(family, addresses, index) }))
    .filter(({ address }) => !family.isLinkLocal(address))
    .sort(
      (a, b) =>
        Number(b.public) - Number(a.public) ||
        Number(b.address === nodeAddress) - Number(a.address === nodeAddress) ||
        Number(a.secondary) - Number(b.secondary) ||
        (a.address < b.address ? -1 : 1),
    );
  return ranked[0]?.address ?? family.none;
}

/** The kernel marks an IPv4 address whose subnet an earlier one has (IFA_F_SECONDARY, net/ipv4/devinet.c); in IPv6 only
 * temporary addresses bear the mark. */
function isSecondary<Address extends number | bigint>(
  family: AddressFamily<Address>,
  addresses: readonly PrefixOf<Address>[],
  index: number,
): boolean {
  const own = addresses[index];
  if (own === undefined || family.width !== 32) return false;
  const network = family.mask(own).address;
  return addresses.slice(0, index).some((earlier) => earlier.bits === own.bits && family.mask(earlier).address === network);
}
