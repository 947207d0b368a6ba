/* Sends the frames of a capture from a device as fast as it can, 64 with a call, to one MAC address.
 *
 *   send-capture CAPTURE DEVICE MAC
 *
 * Prints how many frames the kernel took, and seconds of time and of the process's CPU. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define BATCH 64

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  unsigned words[6];
  if (argc != 4 || sscanf(argv[3], "%x:%x:%x:%x:%x:%x", words, words + 1, words + 2, words + 3, words + 4, words + 5) != 6) return fprintf(stderr, "usage: send-capture CAPTURE DEVICE MAC\n"), 2;
  uint8_t mac[6];
  for (int k = 0; k < 6; k++) mac[k] = (uint8_t)words[k];
  int file = open(argv[1], O_RDONLY);
  struct stat about;
  if (file < 0 || fstat(file, &about) != 0) return perror(argv[1]), 2;
  uint8_t *at = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0), *end = at + about.st_size;
  if (at == MAP_FAILED) return perror("mmap"), 2;
  at += 24;
  int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[2])};
  if (fd < 0 || to.sll_ifindex == 0) return perror(argv[2]), 2;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  struct iovec parts[BATCH][2];
  struct mmsghdr messages[BATCH];
  unsigned long taken = 0;
  double start = now(), cpuStart = cpu();
  while (at < end) {
    int count = 0;
    for (; count < BATCH && at + 16 <= end; count++) {
      uint32_t length;
      memcpy(&length, at + 8, 4);
      if (at + 16 + length > end) break;
      parts[count][0] = (struct iovec){mac, 6};
      parts[count][1] = (struct iovec){at + 16 + 6, length - 6};
      messages[count].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = parts[count], .msg_iovlen = 2};
      at += 16 + length;
    }
    if (count == 0) break;
    for (int done = 0; done < count;) {
      int sent = sendmmsg(fd, messages + done, (unsigned)(count - done), 0);
      if (sent <= 0) { done++; continue; }
      done += sent;
      taken += (unsigned long)sent;
    }
  }
  printf("%lu %.6f %.6f\n", taken, now() - start, cpu() - cpuStart);
  return 0;
}
