import { E_STATE, ES_LIVE, T_ENTRIES, T_STRIDE, T_USED } from "../kernel/layout.ts";

/** Live entries of a table, in the order they were made. */
export function* entriesOf(view: DataView, table: number): Generator<number> {
  const stride = view.getInt32(table + T_STRIDE, true), used = view.getInt32(table + T_USED, true);
  let entry = view.getInt32(table + T_ENTRIES, true);
  for (let k = 0; k < used; k++, entry += stride) if ((view.getInt32(entry + E_STATE, true) & ES_LIVE) !== 0) yield entry;
}
