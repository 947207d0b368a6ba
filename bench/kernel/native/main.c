/* The kernel's WebAssembly as native code (wasm2c, cc -O3), on the same memory and the same chunks as the other builds.
 * usage: main IMAGE SETS CONTEXT DESCRIPTORS (START LIMIT)...; each line on standard input names a set of chunks by its number,
 * and is answered by a line of nanoseconds per chunk.
 * IMAGE: bytes of memory (u64), context (u32) and the pages that are not zero, each with its number (u32).
 * SETS: until the end, number of chunks (u32), then for each: packets, address and length of the frames (u32), frames,
 * descriptors. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "kernel.h"

/* From the kernel's layout (pipeline/layout-batch.ts), by the compiler's command line: DESCRIPTOR, a descriptor's size, STREAMS,
 * and where a context has the streams' CURSORS and LIMITS. */
#define PAGE 65536

struct Z_env_instance_t { wasm_rt_memory_t memory; };
wasm_rt_memory_t *Z_envZ_memory(struct Z_env_instance_t *env) { return &env->memory; }

#define MOST_SETS 8

struct chunk { uint32_t packets, frames, length; uint8_t *bytes; };

static void want(void *to, size_t size, FILE *file) {
  if (size > 0 && fread(to, size, 1, file) != 1) { fprintf(stderr, "a file is cut short\n"); exit(2); }
}

int main(int argc, char **argv) {
  if (argc != 5 + 2 * STREAMS) { fprintf(stderr, "usage: main IMAGE CHUNKS CONTEXT DESCRIPTORS (START LIMIT)...\n"); return 2; }
  uint32_t context = strtoul(argv[3], NULL, 10), descriptors = strtoul(argv[4], NULL, 10), page, count;
  FILE *image = fopen(argv[1], "rb"), *chunks = fopen(argv[2], "rb");
  if (!image || !chunks) { perror("open"); return 2; }
  struct Z_env_instance_t env;
  Z_kernel_instance_t kernel;
  uint64_t bytes;
  want(&bytes, sizeof bytes, image);
  wasm_rt_init();
  wasm_rt_allocate_memory(&env.memory, bytes / PAGE, 32768);
  while (fread(&page, sizeof page, 1, image) == 1) want(env.memory.data + (uint64_t)page * PAGE, PAGE, image);
  Z_kernel_init_module();
  Z_kernel_instantiate(&kernel, &env);

  struct chunk *sets[MOST_SETS];
  uint32_t counts[MOST_SETS], known = 0;
  while (known < MOST_SETS && fread(&count, sizeof count, 1, chunks) == 1) {
    struct chunk *set = calloc(count, sizeof *set);
    for (uint32_t k = 0; k < count; k++) {
      want(&set[k], 12, chunks);
      size_t size = set[k].length + (size_t)set[k].packets * DESCRIPTOR;
      set[k].bytes = malloc(size);
      want(set[k].bytes, size, chunks);
    }
    counts[known] = count;
    sets[known++] = set;
  }

  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    uint32_t named = strtoul(line, NULL, 10);
    if (named >= known) { fprintf(stderr, "there are %u sets\n", known); return 2; }
    struct chunk *all = sets[named];
    count = counts[named];
    for (uint32_t k = 0; k < count; k++) {
      struct timespec before, after;
      memcpy(env.memory.data + all[k].frames, all[k].bytes, all[k].length);
      memcpy(env.memory.data + descriptors, all[k].bytes + all[k].length, (size_t)all[k].packets * DESCRIPTOR);
      for (int s = 0; s < STREAMS; s++) {
        uint32_t start = strtoul(argv[5 + 2 * s], NULL, 10), limit = strtoul(argv[6 + 2 * s], NULL, 10);
        memcpy(env.memory.data + context + CURSORS + 4 * s, &start, 4);
        memcpy(env.memory.data + context + LIMITS + 4 * s, &limit, 4);
      }
      clock_gettime(CLOCK_MONOTONIC, &before);
      Z_kernelZ_processBatch(&kernel, context, descriptors, all[k].packets);
      clock_gettime(CLOCK_MONOTONIC, &after);
      printf(k + 1 < count ? "%ld " : "%ld\n", (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec);
    }
    fflush(stdout);
  }
  return 0;
}
