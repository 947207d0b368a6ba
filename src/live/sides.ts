// Where frames come from and go to. Plain data: it crosses threads.

/** The pods' devices; the nodes' devices towards everything else; the tunnel's port. */
export const SIDE_PODS = 0, SIDE_OUTSIDE = 1, SIDE_TUNNEL = 2, SIDES = 3;

export type DeviceKind = "tap" | "packet";

/** A device that the user named. */
export interface DeviceName {
  readonly kind: DeviceKind;
  readonly name: string;
}

/** What one worker reads and writes: a queue of a device, or a socket of the tunnel's port. */
export interface Port {
  readonly kind: DeviceKind | "udp";
  readonly side: number;
  readonly fd: number;
  /** As messages name it. */
  readonly title: string;
  /** Of a socket: the node's address that it is bound to, as a wire word. */
  readonly address: number;
}

/** How encapsulated packets leave: from sockets of the tunnel's port, by raw-socket, or as frames of a device. */
export type Emission = "udp" | "raw" | "tap";

export type Role = "source" | "gateway" | "both";
