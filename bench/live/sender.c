// Offers frames as fast as it can for some seconds: UDP datagrams of a pod to 64 servers, a flow each, bare on a device, or in VXLAN
// to a node, where the flows share four outer ports (a real node draws one for each).
//
//   sender SECONDS SIZE packet:NAME MAC | udp:TO MAC      MAC: the inner destination
//
// Prints how many the kernel took.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FLOWS 64
#define SOCKETS 4
#define TUNNEL_HEADER 8
#define FRAME 1600

static uint8_t frames[FLOWS][TUNNEL_HEADER + FRAME];

static void put16(uint8_t *at, unsigned value) { at[0] = (uint8_t)(value >> 8), at[1] = (uint8_t)value; }

// `vni`: 20001, the identity of a pod that no CiliumIdentity names.
static void make(int flow, int size, const uint8_t *mac) {
  uint8_t *tunnel = frames[flow], *eth = tunnel + TUNNEL_HEADER, *ip = eth + 14, *udp = ip + 20;
  memset(tunnel, 0, sizeof frames[flow]);
  tunnel[0] = 0x08;
  tunnel[5] = 0x4e;
  tunnel[6] = 0x21;
  memcpy(eth, mac, 6);
  memcpy(eth + 6, "\x02\0\0\0\0\x63", 6);
  put16(eth + 12, ETH_P_IP);
  ip[0] = 0x45;
  put16(ip + 2, (unsigned)size - 14);
  ip[8] = 64;
  ip[9] = 17;
  inet_pton(AF_INET, "10.244.1.10", ip + 12);
  inet_pton(AF_INET, "203.0.113.10", ip + 16);
  ip[19] = (uint8_t)(ip[19] + flow);
  unsigned sum = 0;
  for (int k = 0; k < 20; k += 2) sum += (unsigned)(ip[k] << 8 | ip[k + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  put16(ip + 10, ~sum & 0xffff);
  put16(udp, 20000 + (unsigned)flow);
  put16(udp + 2, 9);
  put16(udp + 4, (unsigned)size - 34);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  unsigned mac[6];
  if (argc != 5 || sscanf(argv[4], "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) return fprintf(stderr, "sender SECONDS SIZE WHERE MAC\n"), 2;
  uint8_t bytes[6];
  for (int k = 0; k < 6; k++) bytes[k] = (uint8_t)mac[k];
  double seconds = atof(argv[1]);
  int size = atoi(argv[2]), is_udp = strncmp(argv[3], "udp:", 4) == 0, buffer = 4 << 20;
  if (size < 60 || size > FRAME) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(8472)};
  struct sockaddr_ll link = {.sll_family = AF_PACKET};
  int fds[SOCKETS], sockets = is_udp ? SOCKETS : 1;
  if (is_udp) inet_pton(AF_INET, argv[3] + 4, &to.sin_addr);
  else link.sll_ifindex = (int)if_nametoindex(strchr(argv[3], ':') + 1);
  for (int k = 0; k < sockets; k++) {
    fds[k] = is_udp ? socket(AF_INET, SOCK_DGRAM, 0) : socket(AF_PACKET, SOCK_RAW, 0);
    if (fds[k] < 0) return perror("socket"), 2;
    setsockopt(fds[k], SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  }
  struct iovec parts[FLOWS];
  struct mmsghdr messages[FLOWS];
  memset(messages, 0, sizeof messages);
  for (int k = 0; k < FLOWS; k++) {
    make(k, size, bytes);
    parts[k] = (struct iovec){frames[k] + (is_udp ? 0 : TUNNEL_HEADER), (size_t)size + (is_udp ? TUNNEL_HEADER : 0)};
    messages[k].msg_hdr = (struct msghdr){.msg_name = is_udp ? (void *)&to : (void *)&link, .msg_namelen = is_udp ? sizeof to : sizeof link, .msg_iov = &parts[k], .msg_iovlen = 1};
  }
  unsigned long taken = 0;
  for (double end = now() + seconds; now() < end;) {
    for (int k = 0; k < sockets; k++) {
      int sent = sendmmsg(fds[k], messages + k * FLOWS / sockets, (unsigned)(FLOWS / sockets), 0);
      if (sent > 0) taken += (unsigned long)sent;
    }
  }
  printf("%lu\n", taken);
  return 0;
}
