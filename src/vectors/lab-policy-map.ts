// The recorded pod's policy map and the node's authentication map, as a recording gives and changes them.
import { type PolicyDirection, type PolicyMapKey, policyKeyText } from "../control/network-policy/policy-map.ts";
import type { Arena } from "../engine/image/arena.ts";
import { type PolicyGroupImage, PolicyMapWriter, type PolicyPortImage, writeNodeIds } from "../engine/image/endpoint-policy-image.ts";
import type { NodePolicyImage } from "../engine/image/node-image.ts";
import { AU_EXPIRES, AU_LOCAL, AU_NODE, AU_REMOTE, AU_SIZE, AU_TYPE } from "../kernel/layout-policy.ts";
import type { LabSettings } from "./lab-settings.ts";
import type { RecordedAuthentication, RecordedMapChange, RecordedPodPolicy } from "./recording.ts";

const UNITS_PER_SECOND = 1e9 / 512;

export class LabPolicyMap {
  readonly #entries = new Map<string, PolicyMapKey & PolicyPortImage>();
  readonly #auth: readonly RecordedAuthentication[];
  #enforced: boolean;

  /** `rows` null: the case does not show the map, everything is allowed. */
  constructor(rows: readonly RecordedPodPolicy[] | null, auth: readonly RecordedAuthentication[]) {
    this.#enforced = rows !== null;
    this.#auth = auth;
    for (const row of rows ?? []) this.#put(row);
  }

  /** False when the row is none of a policy map. */
  change(op: string, row: NonNullable<RecordedMapChange["entry"]>): boolean {
    if (!("dir" in row)) return false;
    this.#enforced = true;
    if (op === "upsert") this.#put(row);
    else if (op === "delete") this.#entries.delete(policyKeyText(keyOf(row)));
    else return false;
    return true;
  }

  /** Address of the map in the kernel's memory, 0 where nothing is enforced. */
  write(arena: Arena): number { return this.#enforced ? new PolicyMapWriter(arena).write(this.#groups()) : 0; }

  /** A group for each identity and direction. */
  #groups(): readonly PolicyGroupImage[] {
    const groups = new Map<string, { readonly direction: PolicyDirection; readonly identities: readonly number[]; readonly ports: PolicyPortImage[] }>();
    for (const entry of this.#entries.values()) {
      const key = `${entry.direction} ${entry.identity}`, group = groups.get(key) ?? { direction: entry.direction, identities: [entry.identity], ports: [] };
      group.ports.push(entry);
      groups.set(key, group);
    }
    return [...groups.values()];
  }

  nodePolicy(arena: Arena, { policyFlags: flags, nodeIds }: LabSettings): NodePolicyImage {
    const auth = arena.take(Math.max(1, this.#auth.length) * AU_SIZE);
    for (const [k, row] of this.#auth.entries()) {
      const at = auth + k * AU_SIZE;
      arena.put32(at + AU_LOCAL, row.local_identity);
      arena.put32(at + AU_REMOTE, row.remote_identity);
      arena.put32(at + AU_NODE, row.remote_node_id);
      arena.put32(at + AU_TYPE, row.auth_type);
      arena.put32(at + AU_EXPIRES, Math.min(0xffffffff, Math.floor(row.expiration_unit_512ns / UNITS_PER_SECOND)));
    }
    return { flags, nodeIds: writeNodeIds(arena, nodeIds), auth, authCount: this.#auth.length };
  }

  #put(row: RecordedPodPolicy): void {
    const key = keyOf(row);
    const entry: PolicyMapKey & PolicyPortImage = {
      ...key, deny: row.deny, precedence: row.precedence, authType: row.auth_type, authExplicit: row.auth_explicit, proxyPort: row.proxy_port,
      cookie: row.cookie, rule: -1,
    };
    this.#entries.set(policyKeyText(key), row.value_prefixlen === undefined ? entry : { ...entry, valuePrefix: row.value_prefixlen });
  }
}

/** The bits behind the prefix are not part of a key. */
function keyOf({ identity, dir, proto, dport, prefixlen }: RecordedPodPolicy): PolicyMapKey {
  const portBits = Math.max(0, prefixlen - 8), mask = (0xffff << (16 - portBits)) & 0xffff;
  return { identity, direction: dir, protocol: prefixlen < 8 ? 0 : proto, port: dport & mask, prefix: prefixlen };
}
