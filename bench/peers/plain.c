/* Work W1 as a plain C loop: read a capture of pods' frames, look up policy and flow, encapsulate for the gateway, write. No
 * expiry, no TCP states, no replies, no NAT, no report.
 * usage: plain PLAN IN OUT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PODS (1 << 16)
#define FLOWS (1 << 20)
#define BLOCK (1 << 20)

struct entry { uint32_t prefix, mask, gateway; };
struct pod { uint32_t address, vni, node, hop; struct entry *entries; uint32_t count; };
struct node { uint32_t address; uint8_t mac[6]; };
struct flow { uint32_t source, destination, ports, proto; uint64_t packets, bytes, last; };

static struct pod pods[PODS];
static struct node nodes[4096];
static struct flow *flows;
static int node_count;

static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static void put16(uint8_t *p, uint32_t v) { p[0] = v >> 8; p[1] = v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16); put16(p + 2, v); }

static uint32_t hash4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  uint32_t h = (a ^ 0x1b873593) * 0x85ebca6b;
  h = (h ^ b ^ (h >> 15)) * 0xc2b2ae35;
  h = (h ^ c ^ (h >> 13)) * 0x27d4eb2f;
  h = (h ^ d ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}

static struct pod *pod_at(uint32_t address) {
  uint32_t slot = (address * 0x9e3779b1u) >> 16;
  while (pods[slot].address && pods[slot].address != address) slot = (slot + 1) & (PODS - 1);
  return &pods[slot];
}

static void mac_of(uint32_t address, uint8_t *mac) {
  for (int k = 0; k < node_count; k++) if (nodes[k].address == address) { memcpy(mac, nodes[k].mac, 6); return; }
  mac[0] = 2, mac[1] = 0xfe;
  put32(mac + 2, address);
}

static void read_plan(const char *path) {
  FILE *file = fopen(path, "r");
  char line[128], mac[16];
  uint32_t a, b, c, d;
  if (!file) { perror(path); exit(2); }
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "pod %x %x %x %x", &a, &b, &c, &d) == 4) {
      struct pod *pod = pod_at(a);
      pod->address = a, pod->vni = b, pod->node = c, pod->hop = d;
    } else if (sscanf(line, "entry %x %x %x %x", &a, &b, &c, &d) == 4) {
      struct pod *pod = pod_at(a);
      pod->entries = realloc(pod->entries, (pod->count + 1) * sizeof *pod->entries);
      pod->entries[pod->count++] = (struct entry){ b, c ? ~0u << (32 - c) : 0, d };
    } else if (sscanf(line, "node %x %12s", &a, mac) == 2) {
      nodes[node_count].address = a;
      for (int k = 0; k < 6; k++) sscanf(mac + 2 * k, "%2hhx", &nodes[node_count].mac[k]);
      node_count++;
    }
  }
  fclose(file);
}

static const struct entry *policy(const struct pod *pod, uint32_t destination) {
  const struct entry *best = NULL;
  for (uint32_t k = 0; k < pod->count; k++) {
    const struct entry *entry = &pod->entries[k];
    if ((destination & entry->mask) == entry->prefix && (!best || entry->mask > best->mask)) best = entry;
  }
  return best;
}

static uint32_t fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

int main(int argc, char **argv) {
  if (argc != 4) { fprintf(stderr, "usage: plain PLAN IN OUT\n"); return 2; }
  read_plan(argv[1]);
  flows = calloc(FLOWS, sizeof *flows);
  FILE *in = fopen(argv[2], "rb"), *out = fopen(argv[3], "wb");
  if (!in || !out) { perror("open"); return 2; }
  setvbuf(in, NULL, _IOFBF, BLOCK);
  setvbuf(out, NULL, _IOFBF, BLOCK);
  uint8_t header[24], record[16], frame[50 + 65536], *inner = frame + 50;
  if (fread(header, 24, 1, in) != 1) return 2;
  int nanoseconds = header[0] == 0x4d;
  memcpy(header, "\x4d\x3c\xb2\xa1", 4);
  memcpy(header + 16, "\0\0\4\0", 4);
  fwrite(header, 24, 1, out);
  for (uint32_t seq = 1; fread(record, 16, 1, in) == 1; seq++) {
    uint32_t length, fraction, words[5];
    memcpy(&length, record + 8, 4);
    if (length > 65536 || fread(inner, length, 1, in) != 1) return 2;
    uint8_t *ip = inner + 14;
    uint32_t source = be32(ip + 12), destination = be32(ip + 16);
    struct pod *pod = pod_at(source);
    if (!pod->address) continue;
    memcpy(words, ip + 12, 12);
    words[3] = ip[9];
    uint32_t hash = hash4(words[0], words[1], words[2], words[3]), slot = hash & (FLOWS - 1);
    while (flows[slot].packets && (flows[slot].source != words[0] || flows[slot].destination != words[1] || flows[slot].ports != words[2] || flows[slot].proto != words[3])) slot = (slot + 1) & (FLOWS - 1);
    struct flow *flow = &flows[slot];
    if (!flow->packets) flow->source = words[0], flow->destination = words[1], flow->ports = words[2], flow->proto = words[3];
    flow->packets++, flow->bytes += length, flow->last = seq;
    const struct entry *entry = policy(pod, destination);
    if (!entry || entry->gateway == pod->node || ip[8] <= 1) continue;

    mac_of(pod->hop ? pod->hop : destination, inner);
    mac_of(pod->node, inner + 6);
    uint32_t sum = ip[10] << 8 | ip[11];
    sum = ~fold((~sum & 0xffff) + 0xfeff) & 0xffff;
    ip[8]--;
    put16(ip + 10, sum);

    mac_of(entry->gateway, frame);
    mac_of(pod->node, frame + 6);
    uint8_t *o = frame + 14, *udp = frame + 34;
    put16(frame + 12, 0x0800);
    put16(o, 0x4500 | (ip[1] & 3));
    put16(o + 2, length + 36);
    put16(o + 4, seq);
    put16(o + 6, 0);
    put16(o + 8, 64 << 8 | 17);
    put16(o + 10, 0);
    put32(o + 12, pod->node);
    put32(o + 16, entry->gateway);
    uint32_t total = 0;
    for (int k = 0; k < 20; k += 2) total += o[k] << 8 | o[k + 1];
    put16(o + 10, ~fold(total));
    put16(udp, 32768 + ((((hash ^ (hash >> 16)) & 0xffff) * 28232) >> 16));
    put16(udp + 2, 8472);
    put16(udp + 4, length + 16);
    put16(udp + 6, 0);
    put32(udp + 8, 0x08000000);
    put32(udp + 12, pod->vni << 8);
    if (!nanoseconds) { memcpy(&fraction, record + 4, 4); fraction *= 1000; memcpy(record + 4, &fraction, 4); }
    length += 50;
    memcpy(record + 8, &length, 4);
    memcpy(record + 12, &length, 4);
    fwrite(record, 16, 1, out);
    fwrite(frame, length, 1, out);
  }
  return fclose(out);
}
