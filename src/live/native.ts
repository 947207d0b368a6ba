// The addon in native-bindings/: system calls that Node has not, on devices, sockets and shared memory.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { InputError } from "../cluster/input-error.ts";

/** Descriptors are plain numbers, so that they cross threads. Words of a write's result: sent, queue full, refused, errno. */
export interface Native {
  openTap(name: string, multiQueue: boolean, persist: boolean): number;
  setLink(name: string, mtu: number, mac: Uint8Array, address: number, prefix: number): void;
  /** MTU of a device, 0 where there is none. */
  linkInfo(name: string, mac: Uint8Array): number;
  /** A socket for each of `descriptors`, which they go to; several share what comes in by flow. */
  openPackets(name: string, descriptors: Int32Array): void;
  openUdps(address: number, port: number, descriptors: Int32Array): void;
  readTap(fd: number, memory: Uint8Array, first: number, stride: number, count: number, lengths: Int32Array): number;
  readPacket(fd: number, memory: Uint8Array, first: number, stride: number, count: number, lengths: Int32Array): number;
  readUdp(fd: number, memory: Uint8Array, first: number, stride: number, count: number, lengths: Int32Array, senders: Int32Array): number;
  writeTap(fd: number, memory: Uint8Array, frames: Int32Array, count: number, result: Int32Array): void;
  writePacket(fd: number, memory: Uint8Array, frames: Int32Array, count: number, result: Int32Array): void;
  writeUdp(fd: number, memory: Uint8Array, datagrams: Int32Array, count: number, result: Int32Array): void;
  openWake(): number;
  wake(fd: number): void;
  waitReady(descriptors: Int32Array, ready: Int32Array, milliseconds: number): number;
  close(fd: number): void;
  dropPrivileges(uid: number, gid: number): void;
}

const ADDON = new URL("../../native-bindings/build/egwsim.node", import.meta.url);

/** Throws InputError where live traffic cannot be had. */
export function loadNative(): Native {
  if (process.platform !== "linux") throw off(`this is ${process.platform}`, "replay and the other commands run here");
  if (!existsSync(ADDON)) throw off("the addon was not built when egwsim was installed", "install a C compiler, then run `npm rebuild egwsim` (in a clone: `node native-bindings/build.mjs`, which says what is missing)");
  return createRequire(import.meta.url)(ADDON.pathname) as Native;
}

function off(message: string, cure: string): InputError {
  return new InputError([{ at: null, subject: "egwsim tap", message: `live traffic needs Linux and native-bindings: ${message}`, cure }]);
}

interface NativeError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly subject: string;
}

const isNativeError = (error: unknown): error is NativeError => error instanceof Error && "code" in error && "syscall" in error && "subject" in error;

/** What to do about a refusal, by errno's name. */
const CURES: ReadonlyMap<string, string> = new Map([
  ["EPERM", "CAP_NET_ADMIN (TAP devices), CAP_NET_RAW (interfaces, raw sockets) or root is missing: run it with sudo"],
  ["EACCES", "/dev/net/tun may not be opened: run it with sudo"],
  ["ENOENT", "the kernel has no TUN/TAP here: `modprobe tun`, or make /dev/net/tun (character device 10, 200)"],
  ["EBUSY", "another program has the device open: end it, or name another device"],
  ["EADDRINUSE", "another program has the port: is a vxlan or geneve device on this machine? name another address, or use --emit tap"],
  ["EADDRNOTAVAIL", "the node's address is on no interface here: give it to one (ip address add), or use --emit tap"],
  ["ENODEV", "there is no such interface: `ip link` lists them"],
  ["EINVAL", "it is no TAP device, or it was made with other flags (ip tuntap add mode tap multi_queue)"],
  ["ENETDOWN", "the device went down or away"],
  ["EBADFD", "the device was deleted"],
]);

/** What the addon throws, as the user should read it; anything else comes back as it is. */
export function deviceFault(error: unknown, device: string): unknown {
  if (!isNativeError(error)) return error;
  return new InputError([{ at: null, subject: device, message: `${error.syscall} failed: ${error.message}`, cure: CURES.get(error.code) ?? "" }]);
}
