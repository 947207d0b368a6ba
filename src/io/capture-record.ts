/** Where a reader stands: the record that the last next() found, valid until the following next() or fill(). */
export interface CaptureRecord {
  /** The bytes of the frame are block[offset] to block[offset + capLen - 1]. */
  readonly block: Uint8Array;
  readonly offset: number;
  readonly capLen: number;
  /** Length on the wire; larger than capLen in a snapped capture. */
  readonly origLen: number;
  /** Seconds since 1970 (0 to 2^32 - 1 in classic files) and nanoseconds. */
  readonly timeSec: number;
  readonly timeNsec: number;
  /** LINKTYPE_ number of the record's interface. */
  readonly linkType: number;
  /** pcapng: the interface's number in its section, 0 in classic files. */
  readonly interfaceId: number;
}

export const NEXT_END = -1;
export const NEXT_FILL = 0;
export const NEXT_RECORD = 1;

export interface CaptureReader extends CaptureRecord {
  readonly name: string;
  readonly format: "pcap" | "pcapng";
  readonly compressed: boolean;
  /** NEXT_RECORD: the fields describe a record. NEXT_FILL: await fill(), then call again. NEXT_END: the file ended cleanly.
   * Throws InputError with file and offset where the file is broken; the records before it were all given. */
  next(): number;
  fill(): Promise<void>;
  /** The same without a promise where the source is a file; false where it is not, and nothing happened. Throws what fill() rejects with. */
  fillNow(): boolean;
  /** Name of an interface as the capture gives it (pcapng if_name), or "". */
  interfaceName(interfaceId: number): string;
  close(): Promise<void>;
}
