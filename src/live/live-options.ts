import type { DatapathOptions } from "../engine/replay-options.ts";
import type { DeviceName, Emission, Role } from "./sides.ts";

/** A TAP's properties, where they are not left as they are. */
export interface DeviceWish extends DeviceName {
  /** 0: as it is. */
  readonly mtu: number;
  readonly mac: readonly number[];
  readonly address: { readonly address: number; readonly bits: number } | null;
  /** The TAP stays when the run ends. */
  readonly persist: boolean;
}

export interface LiveOptions extends DatapathOptions {
  /** 1 to 16, each with a queue of every device. */
  readonly workers: number;
  readonly role: Role;
  /** Names; empty: by role. */
  readonly nodes: readonly string[];
  readonly pods: DeviceWish | null;
  readonly outside: DeviceWish | null;
  readonly tunnelDevice: DeviceWish | null;
  readonly emission: Emission;
  /** Who runs it once the devices are open. */
  readonly user: UserIds;
  /** Seconds; null: until it is told to stop. */
  readonly duration: number | null;
  /** Files and folders whose change is taken over; empty for none. SIGHUP always does. */
  readonly watched: readonly string[];
  /** Seconds between a change of the manifests and its taking effect. */
  readonly reconcileDelay: number;
}

export interface UserIds {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}
