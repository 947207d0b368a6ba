// What a sender leaves to its network card, done in software: checksums, and TCP segmentation (virtio 1.2, 5.1.6).
#include "native.h"

#include <string.h>

#define VIRTIO_GSO_TCPV4 1
#define VIRTIO_GSO_TCPV6 4
#define VIRTIO_GSO_ECN 0x80
#define ETH_HEADER 14
#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80

static uint16_t load16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static void store16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static uint32_t load32(const uint8_t *at) { return (uint32_t)load16(at) << 16 | load16(at + 2); }

static void store32(uint8_t *at, uint32_t value) {
  store16(at, value >> 16);
  store16(at + 2, value & 0xffff);
}

// RFC 1071, section 4.1; `sum` is what came before.
static uint32_t sum_bytes(const uint8_t *at, size_t length, uint64_t sum) {
  for (; length > 1; at += 2, length -= 2) sum += load16(at);
  if (length == 1) sum += (uint32_t)at[0] << 8;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return (uint32_t)sum;
}

void complete_checksum(uint8_t *frame, size_t length, const struct virtio_header *header) {
  size_t start = header->csum_start, field = start + header->csum_offset;
  if (start >= length || field + 2 > length) return;
  // The field holds the pseudo-header's sum already.
  uint16_t sum = (uint16_t)~sum_bytes(frame + start, length - start, 0);
  store16(frame + field, sum == 0 ? 0xffff : sum);
}

uint32_t segment(const uint8_t *frame, size_t length, const struct virtio_header *header, const struct frame_slots *slots, uint32_t from) {
  uint8_t kind = header->gso_type & (uint8_t)~VIRTIO_GSO_ECN;
  if ((kind != VIRTIO_GSO_TCPV4 && kind != VIRTIO_GSO_TCPV6) || header->gso_size == 0) return 0;
  size_t ip = ETH_HEADER, tcp = header->csum_start;
  size_t least = kind == VIRTIO_GSO_TCPV4 ? 20 : 40;
  if (tcp < ip + least || tcp + 20 > length) return 0;
  size_t payload = tcp + (size_t)(frame[tcp + 12] >> 4) * 4;
  if (payload < tcp + 20 || payload > length || payload + header->gso_size > slots->stride) return 0;
  size_t left = length - payload;
  uint32_t pieces = (uint32_t)((left + header->gso_size - 1) / header->gso_size);
  if (pieces == 0 || from + pieces > slots->count) return 0;
  uint16_t id = load16(frame + ip + 4);
  uint32_t sequence = load32(frame + tcp + 4);
  for (uint32_t k = 0; k < pieces; k++) {
    uint8_t *out = slots->memory + slots->first + (from + k) * slots->stride;
    size_t done = (size_t)k * header->gso_size, part = left - done < header->gso_size ? left - done : header->gso_size;
    memcpy(out, frame, payload);
    memcpy(out + payload, frame + payload + done, part);
    size_t segment_length = payload - tcp + part;
    uint64_t pseudo;
    if (kind == VIRTIO_GSO_TCPV4) {
      store16(out + ip + 2, (uint32_t)(payload - ip + part));
      store16(out + ip + 4, id + k);
      store16(out + ip + 10, 0);
      store16(out + ip + 10, ~sum_bytes(out + ip, tcp - ip, 0) & 0xffff);
      pseudo = sum_bytes(out + ip + 12, 8, 6 + segment_length);
    } else {
      store16(out + ip + 4, (uint32_t)(payload - ip - 40 + part));
      pseudo = sum_bytes(out + ip + 8, 32, 6 + segment_length);
    }
    store32(out + tcp + 4, sequence + (uint32_t)done);
    if (k + 1 < pieces) out[tcp + 13] &= (uint8_t)~TCP_FIN_PSH;
    if (k > 0) out[tcp + 13] &= (uint8_t)~TCP_CWR;
    store16(out + tcp + 16, 0);
    store16(out + tcp + 16, ~sum_bytes(out + tcp, segment_length, pseudo) & 0xffff);
    slots->lengths[from + k] = (int32_t)(payload + part);
  }
  return pieces;
}
