// A bad wire between the gateway and the world: frames are lost and overtake each other, in both directions.
import { fileURLToPath } from "node:url";
import { ends, type LabNetwork, says, type Started } from "../../scripts/lab/network.mjs";

const program = fileURLToPath(new URL("../../scripts/lab/impaired-wire.mjs", import.meta.url));
const DEVICE = "to-gateway", TAP = "bad-wire";

/** What one direction did with its frames. */
export interface Carried {
  readonly received: number;
  readonly lost: number;
  /** Held back, so that others overtook them. */
  readonly late: number;
  readonly sent: number;
  readonly held: number;
}

export class BadWire {
  readonly #lab: LabNetwork;
  readonly #process: Started;

  private constructor(lab: LabNetwork, process: Started) {
    this.#lab = lab;
    this.#process = process;
  }

  /** Puts the wire in the place of the gateway's port in the world's bridge. */
  static async lay(lab: LabNetwork, lostPercent: number, latePercent: number, seed: number): Promise<BadWire> {
    // The bridge has the MAC of one of its ports; from now on no frame for it may be taken for one of the port's own.
    lab.run("outside", "sh -c", "ip link set br-world address $(cat /sys/class/net/br-world/address)");
    lab.run("outside", `ip link set ${DEVICE} nomaster address 02:00:00:00:77:77 arp off`);
    const process = lab.start("outside", [globalThis.process.execPath, program, DEVICE, TAP, String(lostPercent), String(latePercent), String(seed)]);
    await says(process, "ready");
    lab.run("outside", `ip link set ${TAP} master br-world`);
    return new BadWire(lab, process);
  }

  /** Mends it again; says what it did. */
  async remove(): Promise<{ readonly fromGateway: Carried; readonly fromWorld: Carried }> {
    const { stdout } = await ends(this.#process);
    this.#lab.run("outside", `ip link set ${DEVICE} arp on master br-world`);
    const { fromInterface, fromTap } = JSON.parse(stdout) as { fromInterface: Carried; fromTap: Carried };
    return { fromGateway: fromInterface, fromWorld: fromTap };
  }
}
