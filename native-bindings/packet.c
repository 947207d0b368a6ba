// AF_PACKET on an existing interface (packet(7)). The kernel's virtio header tells what the sender left to its network
// card: checksums are completed, TCP super-frames cut, so that what comes out is what a wire carries.
#include "native.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

// The longest frame that GSO makes (GSO_LEGACY_MAX_SIZE and its Ethernet header).
#define LARGEST_FRAME (65536 + 32)
#define RECEIVE_BUFFER (16 << 20)
// Slots that must be free before a frame is read: a super-frame of 64 KiB in segments of 1,448 bytes needs 46.
#define SEGMENTS_AT_ONCE 64

// A socket of one interface, or -1 and the call that failed. `filtered`: it takes no frame as yet.
static int open_one(unsigned index, bool filtered, const char **call) {
  // Bound to no protocol until everything is set, so that nothing of another interface gets in.
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  *call = "socket(AF_PACKET)";
  if (fd < 0) return fd;
  int on = 1, buffer = RECEIVE_BUFFER;
  struct packet_mreq promiscuous = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
  struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog filter = {.len = 1, .filter = &none};
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0) *call = "PACKET_VNET_HDR";
  else if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0) *call = "PACKET_IGNORE_OUTGOING";
  else if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) != 0) *call = "PACKET_MR_PROMISC";
  else if (filtered && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) *call = "SO_ATTACH_FILTER";
  else if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) *call = "bind";
  else return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// Makes sockets of one interface share its frames by flow (packet(7), PACKET_FANOUT_HASH); NULL, or the call that failed.
static const char *share(const int32_t *fds, size_t count) {
  // The first one's group gets a number that nobody else has, the others join it.
  int group = (PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
  for (size_t k = 0; k < count; k++) {
    if (setsockopt(fds[k], SOL_PACKET, PACKET_FANOUT, &group, sizeof group) != 0) return "PACKET_FANOUT";
    socklen_t size = sizeof group;
    if (k == 0 && getsockopt(fds[k], SOL_PACKET, PACKET_FANOUT, &group, &size) != 0) return "PACKET_FANOUT";
    group = (group & 0xffff) | (PACKET_FANOUT_HASH << 16);
  }
  // Until now a frame would have come in by several of them.
  int unused = 0;
  for (size_t k = 0; k < count; k++)
    if (setsockopt(fds[k], SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused) != 0) return "SO_DETACH_FILTER";
  return NULL;
}

// openPackets(name, descriptors: Int32Array): a socket for each place of the array; several share the frames by flow.
napi_value open_packets(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  char name[IFNAMSIZ] = "";
  int32_t *fds;
  size_t count;
  if (arguments(env, info, 2, values) == 0 || !text_of(env, values[0], name, sizeof name) || !words_of(env, values[1], &fds, &count)) return NULL;
  unsigned index = if_nametoindex(name);
  if (index == 0) return refuse(env, errno, "if_nametoindex", name);
  const char *call = NULL;
  size_t opened = 0;
  for (; opened < count; opened++)
    if ((fds[opened] = open_one(index, count > 1, &call)) < 0) return refuse_all(env, fds, opened, call, name);
  call = count > 1 ? share(fds, count) : NULL;
  return call == NULL ? NULL : refuse_all(env, fds, opened, call, name);
}

// readPacket(fd, memory, first, stride, count, lengths) → slots filled. A length of -1 marks a frame that did not fit.
napi_value read_packet(napi_env env, napi_callback_info info) {
  static _Thread_local uint8_t overflow[LARGEST_FRAME], whole[LARGEST_FRAME];
  napi_value values[MAX_ARGUMENTS];
  int32_t fd;
  struct frame_slots slots;
  if (arguments(env, info, 6, values) == 0 || !int_of(env, values[0], &fd) || !slots_of(env, values + 1, &slots)) return NULL;
  uint32_t frames = 0;
  while (frames + SEGMENTS_AT_ONCE <= slots.count) {
    struct virtio_header header;
    uint8_t *slot = slots.memory + slots.first + frames * slots.stride;
    struct iovec parts[3] = {{&header, sizeof header}, {slot, slots.stride}, {overflow, sizeof overflow}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    ssize_t got = recvmsg(fd, &message, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || frames > 0) break;
      return refuse(env, errno, "recvmsg", "interface");
    }
    if ((size_t)got < sizeof header) continue;
    size_t length = (size_t)got - sizeof header;
    bool fits = length <= slots.stride;
    if (header.gso_type != VIRTIO_GSO_NONE) {
      size_t head = fits ? length : slots.stride;
      memcpy(whole, slot, head);
      memcpy(whole + head, overflow, length - head);
      uint32_t pieces = segment(whole, length, &header, &slots, frames);
      if (pieces == 0) slots.lengths[frames++] = -1;
      else frames += pieces;
      continue;
    }
    if (fits && (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) complete_checksum(slot, length, &header);
    slots.lengths[frames++] = fits ? (int32_t)length : -1;
  }
  return number(env, frames);
}

// writePacket(fd, memory, frames, count, result).
napi_value write_packet(napi_env env, napi_callback_info info) {
  struct frame_list list;
  if (!frames_of(env, info, FRAME_WIDTH, &list)) return NULL;
  struct virtio_header plain;
  memset(&plain, 0, sizeof plain);
  struct write_result result = {0, 0, 0, 0};
  for (uint32_t k = 0; k < list.count;) {
    struct mmsghdr messages[MESSAGES_AT_ONCE];
    struct iovec parts[MESSAGES_AT_ONCE][2];
    uint32_t batch = list.count - k < MESSAGES_AT_ONCE ? list.count - k : MESSAGES_AT_ONCE;
    memset(messages, 0, batch * sizeof messages[0]);
    for (uint32_t m = 0; m < batch; m++) {
      const uint32_t *frame = list.words + (k + m) * FRAME_WIDTH;
      parts[m][0] = (struct iovec){&plain, sizeof plain};
      parts[m][1] = (struct iovec){list.memory + frame[0], frame[1]};
      messages[m].msg_hdr.msg_iov = parts[m];
      messages[m].msg_hdr.msg_iovlen = 2;
    }
    k += send_messages(list.fd, messages, batch, &result);
  }
  return report_writes(&list, &result);
}
