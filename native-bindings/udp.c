// The tunnel's port: many datagrams a call (recvmmsg(2), sendmmsg(2)).
#include "native.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (8 << 20)

// Sends what it can; returns how many messages are done with, one that is refused included.
uint32_t send_messages(int fd, struct mmsghdr *messages, uint32_t count, struct write_result *result) {
  int sent = sendmmsg(fd, messages, count, 0);
  if (sent < 0 && errno == EINTR) return 0;
  if (sent > 0) {
    result->sent += sent;
    return (uint32_t)sent;
  }
  count_refusal(result, errno);
  return 1;
}

// A socket that is bound to the address and port, or -1 and the call that failed. `joins`: to those that have them already.
static int open_one(const struct sockaddr_in *local, bool joins, const char **call) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  *call = "socket";
  if (fd < 0) return fd;
  // Tunnel packets of Cilium's have no outer checksum and no don't-fragment bit (recorded).
  int on = 1, discover = IP_PMTUDISC_DONT, buffer = BUFFER;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  if (setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on) != 0) *call = "SO_NO_CHECK";
  else if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover) != 0) *call = "IP_MTU_DISCOVER";
  else if (joins && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) *call = "SO_REUSEPORT";
  else if (bind(fd, (const struct sockaddr *)local, sizeof *local) != 0) *call = "bind";
  else return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// openUdps(address, port, descriptors: Int32Array): a socket for each place of the array, bound to that address and no other;
// several share the datagrams by flow (SO_REUSEPORT).
napi_value open_udps(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  uint32_t address, port;
  int32_t *fds;
  size_t count;
  if (arguments(env, info, 3, values) == 0 || !uint_of(env, values[0], &address) || !uint_of(env, values[1], &port) || !words_of(env, values[2], &fds, &count)) return NULL;
  struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(address)};
  char subject[32], text[INET_ADDRSTRLEN];
  snprintf(subject, sizeof subject, "%s:%u", inet_ntop(AF_INET, &local.sin_addr, text, sizeof text), port & 0xffff);
  const char *call = NULL;
  for (size_t opened = 0; opened < count; opened++) {
    if ((fds[opened] = open_one(&local, opened > 0, &call)) < 0) return refuse_all(env, fds, opened, call, subject);
    // The first one shares only when it is bound: so it was alone, and no other program's sockets are in the group.
    int on = 1;
    if (opened == 0 && count > 1 && setsockopt(fds[0], SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) return refuse_all(env, fds, 1, "SO_REUSEPORT", subject);
  }
  return NULL;
}

// readUdp(fd, memory, first, stride, count, lengths, senders) → datagrams read. senders: Int32Array, two words a datagram:
// address as its wire bytes, port. A length of -1 marks a datagram that did not fit.
napi_value read_udp(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  int32_t fd, *senders;
  struct frame_slots slots;
  size_t room;
  if (arguments(env, info, 7, values) == 0 || !int_of(env, values[0], &fd) || !slots_of(env, values + 1, &slots) || !words_of(env, values[6], &senders, &room)) return NULL;
  if ((uint64_t)slots.count * 2 > room) return mistake(env, "the list of senders is too short");
  uint32_t done = 0;
  while (done < slots.count) {
    struct mmsghdr messages[MESSAGES_AT_ONCE];
    struct iovec parts[MESSAGES_AT_ONCE];
    struct sockaddr_in from[MESSAGES_AT_ONCE];
    uint32_t batch = slots.count - done < MESSAGES_AT_ONCE ? slots.count - done : MESSAGES_AT_ONCE;
    memset(messages, 0, batch * sizeof messages[0]);
    for (uint32_t m = 0; m < batch; m++) {
      parts[m] = (struct iovec){slots.memory + slots.first + (done + m) * slots.stride, slots.stride};
      messages[m].msg_hdr = (struct msghdr){.msg_name = &from[m], .msg_namelen = sizeof from[m], .msg_iov = &parts[m], .msg_iovlen = 1};
    }
    int got = recvmmsg(fd, messages, batch, 0, NULL);
    if (got < 0) {
      if (errno == EINTR) continue;
      // ECONNREFUSED and the like: word of an earlier datagram that did not arrive.
      if (errno == EAGAIN || errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH || done > 0) break;
      return refuse(env, errno, "recvmmsg", "tunnel socket");
    }
    for (int m = 0; m < got; m++) {
      bool whole = (messages[m].msg_hdr.msg_flags & MSG_TRUNC) == 0;
      slots.lengths[done] = whole ? (int32_t)messages[m].msg_len : -1;
      senders[2 * done] = (int32_t)from[m].sin_addr.s_addr;
      senders[2 * done + 1] = ntohs(from[m].sin_port);
      done++;
    }
    if ((uint32_t)got < batch) break;
  }
  return number(env, done);
}

// writeUdp(fd, memory, datagrams, count, result).
napi_value write_udp(napi_env env, napi_callback_info info) {
  struct frame_list list;
  if (!frames_of(env, info, DATAGRAM_WIDTH, &list)) return NULL;
  struct write_result result = {0, 0, 0, 0};
  for (uint32_t k = 0; k < list.count;) {
    struct mmsghdr messages[MESSAGES_AT_ONCE];
    struct iovec parts[MESSAGES_AT_ONCE];
    struct sockaddr_in to[MESSAGES_AT_ONCE];
    uint32_t batch = list.count - k < MESSAGES_AT_ONCE ? list.count - k : MESSAGES_AT_ONCE;
    memset(messages, 0, batch * sizeof messages[0]);
    for (uint32_t m = 0; m < batch; m++) {
      const uint32_t *datagram = list.words + (k + m) * DATAGRAM_WIDTH;
      parts[m] = (struct iovec){list.memory + datagram[0], datagram[1]};
      to[m] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)datagram[3]), .sin_addr.s_addr = datagram[2]};
      messages[m].msg_hdr = (struct msghdr){.msg_name = &to[m], .msg_namelen = sizeof to[m], .msg_iov = &parts[m], .msg_iovlen = 1};
    }
    k += send_messages(list.fd, messages, batch, &result);
  }
  return report_writes(&list, &result);
}
