// Waiting for frames, and being woken out of it.
#include "native.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MOST_DESCRIPTORS 256

// openWake() → a descriptor that wake() makes ready for waitReady().
napi_value open_wake(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return fd < 0 ? refuse(env, errno, "eventfd", "wake-up") : number(env, fd);
}

napi_value wake(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  int32_t fd;
  if (arguments(env, info, 1, values) == 0 || !int_of(env, values[0], &fd)) return NULL;
  uint64_t one = 1;
  // EAGAIN: it has been woken 2^64 - 2 times already.
  if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN) return refuse(env, errno, "write", "wake-up");
  return NULL;
}

// waitReady(descriptors: Int32Array, ready: Int32Array, milliseconds) → how many are ready. ready[k]: 0 no, 1 readable, -1 gone.
// The first descriptor is the wake-up, which is emptied.
napi_value wait_ready(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  int32_t *fds, *ready, milliseconds;
  size_t count, room;
  if (arguments(env, info, 3, values) == 0 || !words_of(env, values[0], &fds, &count) || !words_of(env, values[1], &ready, &room) || !int_of(env, values[2], &milliseconds))
    return NULL;
  if (count == 0 || count > MOST_DESCRIPTORS || room < count) return mistake(env, "too many descriptors, or no room for the answer");
  struct pollfd polled[MOST_DESCRIPTORS];
  for (size_t k = 0; k < count; k++) polled[k] = (struct pollfd){.fd = fds[k], .events = POLLIN};
  int found = poll(polled, count, milliseconds);
  if (found < 0 && errno != EINTR) return refuse(env, errno, "poll", "devices");
  for (size_t k = 0; k < count; k++) {
    short events = found < 0 ? 0 : polled[k].revents;
    ready[k] = (events & POLLNVAL) != 0 ? -1 : (events & (POLLIN | POLLERR | POLLHUP)) != 0 ? 1 : 0;
  }
  if (ready[0] == 1) {
    uint64_t times;
    if (read(fds[0], &times, sizeof times) < 0 && errno != EAGAIN) return refuse(env, errno, "read", "wake-up");
  }
  return number(env, found < 0 ? 0 : found);
}

napi_value close_descriptor(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  int32_t fd;
  if (arguments(env, info, 1, values) == 0 || !int_of(env, values[0], &fd)) return NULL;
  if (close(fd) != 0 && errno != EINTR) return refuse(env, errno, "close", "descriptor");
  return NULL;
}
