// The service maps of one node as a recording gives and changes them: frontends, backends, reverse NAT and affinity matches
// change one by one, so that what a recording leaves behind is there.
import type { ServiceImage, ServiceMaps } from "../engine/image/service-image.ts";
import { SVF_AFFINITY } from "../kernel/layout-services.ts";
import { ipv4, ipv6, isIpv6Text } from "./lab-addresses.ts";
import type { RecordedMapChange, RecordedService } from "./recording.ts";

/** LB_MAGLEV_LUT_SIZE of the recorded builds; the recordings' table is lut[i] = backends[i mod n]. */
const MAGLEV_SIZE = 32_749;

interface Family<Address> {
  readonly parse: (text: string) => Address;
  readonly services: Map<string, Omit<ServiceImage<Address>, "matches">>;
  readonly backends: Map<number, { readonly address: Address; readonly port: number; state: number }>;
  readonly reverse: Map<number, { readonly address: Address; readonly port: number }>;
}

function family<Address>(parse: (text: string) => Address): Family<Address> { return { parse, services: new Map(), backends: new Map(), reverse: new Map() }; }

export class LabServices {
  readonly #ipv4 = family(ipv4);
  readonly #ipv6 = family(ipv6);
  /** cilium_lb_affinity_match: backend ids by reverse NAT index. */
  readonly #matches = new Map<number, Set<number>>();

  constructor(recorded: readonly RecordedService[]) {
    for (const row of recorded) this.#put(row);
  }

  get ipv4(): ServiceMaps<number> { return this.#maps(this.#ipv4); }
  get ipv6(): ServiceMaps<bigint> { return this.#maps(this.#ipv6); }

  /** Slots of a service, from the first on. */
  slots(vip: string, port: number, proto: number): readonly number[] {
    return (isIpv6Text(vip) ? this.#ipv6 : this.#ipv4).services.get(nameOf({ vip, port, proto }))?.slots ?? [];
  }

  /** Applies a change; false when it is none that these maps know. */
  apply(change: RecordedMapChange): boolean {
    const { op, vip, port, proto, rev_nat, backend_id, map } = change;
    if (map === "affinity_match" && op === "delete" && rev_nat !== undefined && backend_id !== undefined) {
      this.#matches.get(rev_nat)?.delete(backend_id);
      return true;
    }
    if (vip === undefined || port === undefined || proto === undefined) return false;
    const maps = isIpv6Text(vip) ? this.#ipv6 : this.#ipv4;
    if (op === "delete_service") {
      const service = maps.services.get(nameOf({ vip, port, proto }));
      maps.services.delete(nameOf({ vip, port, proto }));
      if (change.rev_nat_deleted === true && service !== undefined) maps.reverse.delete(service.revNat);
    } else if (op === "set_service" && rev_nat !== undefined && change.backends !== undefined) {
      this.#put({
        vip, port, proto, rev_nat, backends: change.backends, flags: change.flags ?? 0, flags2: change.flags2 ?? 0,
        affinity_timeout_s: change.affinity_timeout_s ?? 0, algorithm: change.algorithm ?? null, maglev_lut_rule: change.maglev_lut_rule,
        backends_missing_from_backend_map: change.backends_missing_from_backend_map ?? [],
      });
    } else return false;
    for (const id of change.backends_deleted ?? []) maps.backends.delete(id);
    for (const [id, state] of Object.entries(change.backend_state ?? {})) {
      const backend = maps.backends.get(Number(id));
      if (backend !== undefined) backend.state = Number(/\((\d)\)$/.exec(state)?.[1] ?? 0);
    }
    return true;
  }

  #put(row: RecordedService): void {
    if (isIpv6Text(row.vip)) this.#putInto(this.#ipv6, row);
    else this.#putInto(this.#ipv4, row);
  }

  #putInto<Address>(maps: Family<Address>, row: RecordedService): void {
    const address = maps.parse(row.vip), slots = row.backends.map(({ id }) => id);
    for (const { id, ip, port } of row.backends)
      if (!row.backends_missing_from_backend_map.includes(id)) maps.backends.set(id, { address: maps.parse(ip), port, state: 0 });
    maps.reverse.set(row.rev_nat, { address, port: row.port });
    maps.services.set(nameOf(row), {
      address, port: row.port, protocol: row.proto, flags: row.flags | (row.flags2 << 8), revNat: row.rev_nat, affinitySeconds: row.affinity_timeout_s,
      slots, maglev: maglevOf(row, slots), index: maps.services.size,
    });
    if ((row.flags & SVF_AFFINITY) === 0) return;
    const matches = this.#matches.get(row.rev_nat) ?? new Set();
    for (const id of slots) matches.add(id);
    this.#matches.set(row.rev_nat, matches);
  }

  #maps<Address>(maps: Family<Address>): ServiceMaps<Address> {
    return {
      services: [...maps.services.values()].map((service) => ({ ...service, matches: [...(this.#matches.get(service.revNat) ?? [])] })),
      backends: [...maps.backends].map(([id, backend]) => ({ id, ...backend, index: 0 })),
      reverse: [...maps.reverse].map(([index, entry]) => ({ index, ...entry })),
    };
  }
}

function nameOf({ vip, port, proto }: Pick<RecordedService, "vip" | "port" | "proto">): string { return `${vip} ${port} ${proto}`; }

function maglevOf(row: RecordedService, slots: readonly number[]): ServiceImage<number>["maglev"] {
  if (row.algorithm !== "maglev") return null;
  if (row.maglev_lut_rule === undefined) return "none";
  return Array.from({ length: MAGLEV_SIZE }, (_, k) => slots[k % slots.length] ?? 0);
}
