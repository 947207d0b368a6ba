// What the files of this folder share. Plain C against Node-API, no other library; Linux only.
#ifndef EGWSIM_NATIVE_H
#define EGWSIM_NATIVE_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

// A queue of frames in shared memory: frame k lies at `first + k * stride`, its length goes to lengths[k].
struct frame_slots {
  uint8_t *memory;
  size_t size;
  uint32_t first;
  uint32_t stride;
  uint32_t count;
  int32_t *lengths;
};

// Frames to be sent: `width` words each, of which the first two are place in the memory and length. A datagram has two more:
// its destination as the wire bytes, and the port.
struct frame_list {
  int32_t fd;
  uint8_t *memory;
  const uint32_t *words;
  uint32_t width;
  uint32_t count;
  int32_t *result;
};
#define FRAME_WIDTH 2
#define DATAGRAM_WIDTH 4

// What a batch of writes came to; the words of the Int32Array that callers pass.
struct write_result {
  int32_t sent;
  // Not sent because the queue was full; because the kernel refused them; errno of the last refusal.
  int32_t full;
  int32_t refused;
  int32_t error;
};

// ── arguments.c ──
#define MAX_ARGUMENTS 8
size_t arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *values);
bool int_of(napi_env env, napi_value value, int32_t *out);
bool uint_of(napi_env env, napi_value value, uint32_t *out);
bool bool_of(napi_env env, napi_value value, bool *out);
bool text_of(napi_env env, napi_value value, char *out, size_t room);
bool bytes_of(napi_env env, napi_value value, uint8_t **out, size_t *length);
bool words_of(napi_env env, napi_value value, int32_t **out, size_t *length);
bool slots_of(napi_env env, const napi_value *values, struct frame_slots *out);
bool frames_of(napi_env env, napi_callback_info info, uint32_t width, struct frame_list *out);
napi_value number(napi_env env, double value);
// Throws an Error with code (errno's name), syscall and subject; returns NULL for the caller to return.
napi_value refuse(napi_env env, int error, const char *call, const char *subject);
// The same by errno, for a call that opens several descriptors: none of them stays open.
napi_value refuse_all(napi_env env, const int32_t *fds, size_t opened, const char *call, const char *subject);
napi_value mistake(napi_env env, const char *message);
const char *errno_name(int error);
void count_refusal(struct write_result *result, int error);
napi_value report_writes(const struct frame_list *list, const struct write_result *result);

// ── udp.c ──
#define MESSAGES_AT_ONCE 64
uint32_t send_messages(int fd, struct mmsghdr *messages, uint32_t count, struct write_result *result);

// ── segment.c ──
struct virtio_header {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t hdr_len;
  uint16_t gso_size;
  uint16_t csum_start;
  uint16_t csum_offset;
};
#define VIRTIO_GSO_NONE 0
// Completes a checksum that the sender left to its network card.
void complete_checksum(uint8_t *frame, size_t length, const struct virtio_header *header);
// Cuts a TCP super-frame into frames of `gso_size` payload; how many slots it took, 0 where it is none that can be cut.
uint32_t segment(const uint8_t *frame, size_t length, const struct virtio_header *header, const struct frame_slots *slots, uint32_t from);

// ── The calls, one file each ──
napi_value open_tap(napi_env env, napi_callback_info info);
napi_value set_link(napi_env env, napi_callback_info info);
napi_value link_info(napi_env env, napi_callback_info info);
napi_value open_packets(napi_env env, napi_callback_info info);
napi_value read_tap(napi_env env, napi_callback_info info);
napi_value write_tap(napi_env env, napi_callback_info info);
napi_value read_packet(napi_env env, napi_callback_info info);
napi_value write_packet(napi_env env, napi_callback_info info);
napi_value open_udps(napi_env env, napi_callback_info info);
napi_value read_udp(napi_env env, napi_callback_info info);
napi_value write_udp(napi_env env, napi_callback_info info);
napi_value open_wake(napi_env env, napi_callback_info info);
napi_value wake(napi_env env, napi_callback_info info);
napi_value wait_ready(napi_env env, napi_callback_info info);
napi_value close_descriptor(napi_env env, napi_callback_info info);
napi_value drop_privileges(napi_env env, napi_callback_info info);

#endif
