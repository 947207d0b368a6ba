// The least that a userspace datapath can do: read frames from one side, write them to the other, nothing else, with the same
// system calls and batches as native-bindings. What egwsim is measured against.
//
//   loop INPUT OUTPUT     tap:NAME | packet:NAME | udp:ADDRESS:PORT[:TO]
//
// From udp the tunnel's 8 bytes are taken off, towards udp they are put in front. Ends with SIGTERM.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 64
#define FRAME 2048
#define TUNNEL_HEADER 8
#define BUFFER (16 << 20)

enum kind { TAP, PACKET, UDP };
struct end { enum kind kind; int fd; struct sockaddr_in to; };

static volatile sig_atomic_t over;
static void stop(int signal) { (void)signal; over = 1; }

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static struct end open_tap(const char *name) {
  struct end end = {TAP, open("/dev/net/tun", O_RDWR | O_NONBLOCK), {0}};
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
  if (end.fd < 0 || ioctl(end.fd, TUNSETIFF, &request) != 0) fail(name);
  int control = socket(AF_INET, SOCK_DGRAM, 0);
  if (ioctl(control, SIOCGIFFLAGS, &request) != 0) fail(name);
  request.ifr_flags |= IFF_UP;
  if (ioctl(control, SIOCSIFFLAGS, &request) != 0) fail(name);
  close(control);
  return end;
}

static struct end open_packet(const char *name) {
  struct end end = {PACKET, socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), {0}};
  int on = 1, buffer = BUFFER;
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
  setsockopt(end.fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(end.fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  setsockopt(end.fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on);
  setsockopt(end.fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  if (end.fd < 0 || bind(end.fd, (struct sockaddr *)&address, sizeof address) != 0) fail(name);
  return end;
}

static struct end open_udp(char *text) {
  char *address = strtok(text, ":"), *port = strtok(NULL, ":"), *to = strtok(NULL, ":");
  struct end end = {UDP, socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), {.sin_family = AF_INET}};
  struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = inet_addr(address)};
  int on = 1, buffer = BUFFER;
  setsockopt(end.fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(end.fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  setsockopt(end.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
  if (end.fd < 0 || bind(end.fd, (struct sockaddr *)&local, sizeof local) != 0) fail(address);
  end.to.sin_port = local.sin_port;
  end.to.sin_addr.s_addr = inet_addr(to == NULL ? address : to);
  return end;
}

static struct end open_end(char *text) {
  if (strncmp(text, "tap:", 4) == 0) return open_tap(text + 4);
  if (strncmp(text, "packet:", 7) == 0) return open_packet(text + 7);
  if (strncmp(text, "udp:", 4) == 0) return open_udp(text + 4);
  fprintf(stderr, "%s: tap:, packet: or udp: is wanted\n", text);
  exit(2);
}

static uint8_t frames[BATCH][FRAME], virtio[BATCH][10];
static struct iovec parts[BATCH][2];
static struct mmsghdr messages[BATCH];

static int receive(struct end *end, int *lengths) {
  int count = 0;
  if (end->kind == TAP) {
    while (count < BATCH && (lengths[count] = (int)read(end->fd, frames[count], FRAME)) > 0) count++;
    return count;
  }
  for (int k = 0; k < BATCH; k++) {
    parts[k][0] = (struct iovec){virtio[k], sizeof virtio[k]};
    parts[k][1] = (struct iovec){frames[k], FRAME};
    messages[k].msg_hdr = (struct msghdr){.msg_iov = parts[k] + (end->kind == PACKET ? 0 : 1), .msg_iovlen = end->kind == PACKET ? 2 : 1};
  }
  count = recvmmsg(end->fd, messages, BATCH, 0, NULL);
  for (int k = 0; k < count; k++) lengths[k] = (int)messages[k].msg_len - (end->kind == PACKET ? 10 : 0);
  return count < 0 ? 0 : count;
}

static void transmit(struct end *end, const int *lengths, int count, int skip) {
  static uint8_t tunnel[TUNNEL_HEADER] = {0x08, 0, 0, 0, 0, 0x4e, 0x21, 0}, plain[10];
  if (end->kind == TAP) {
    for (int k = 0; k < count; k++)
      if (write(end->fd, frames[k] + skip, (size_t)(lengths[k] - skip)) < 0 && errno != EAGAIN && errno != ENOBUFS) fail("write");
    return;
  }
  for (int k = 0; k < count; k++) {
    parts[k][0] = end->kind == UDP ? (struct iovec){tunnel, sizeof tunnel} : (struct iovec){plain, sizeof plain};
    parts[k][1] = (struct iovec){frames[k] + skip, (size_t)(lengths[k] - skip)};
    messages[k].msg_hdr = (struct msghdr){.msg_iov = parts[k], .msg_iovlen = 2};
    if (end->kind == UDP) messages[k].msg_hdr.msg_name = &end->to, messages[k].msg_hdr.msg_namelen = sizeof end->to;
  }
  for (int done = 0; done < count;) {
    int sent = sendmmsg(end->fd, messages + done, (unsigned)(count - done), 0);
    done += sent > 0 ? sent : 1;
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "loop INPUT OUTPUT\n"), 2;
  signal(SIGTERM, stop);
  struct end from = open_end(argv[1]), to = open_end(argv[2]);
  puts("ready");
  fflush(stdout);
  int lengths[BATCH], skip = from.kind == UDP ? TUNNEL_HEADER : 0;
  while (!over) {
    struct pollfd waiting = {.fd = from.fd, .events = POLLIN};
    if (poll(&waiting, 1, 1000) <= 0) continue;
    int count = receive(&from, lengths);
    if (count > 0) transmit(&to, lengths, count, skip);
  }
  return 0;
}
