// TAP devices (Documentation/networking/tuntap.rst): Ethernet frames without a header of tun's own. The kernel computes
// checksums and cuts large segments before a frame gets here, since no offload is asked for.
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// One call a frame is all that tun has. libc's read and write are points where a thread may be cancelled, which nobody does here and
// costs 2 to 3 % of a live run (measured with perf).
static ssize_t read_frame(int fd, void *frame, size_t room) { return syscall(SYS_read, fd, frame, room); }
static ssize_t write_frame(int fd, const void *frame, size_t length) { return syscall(SYS_write, fd, frame, length); }

// openTap(name, multiQueue, persist) → descriptor. The device is made where there is none; each call opens one queue.
napi_value open_tap(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  char name[IFNAMSIZ];
  bool multi_queue, persist;
  if (arguments(env, info, 3, values) == 0 || !text_of(env, values[0], name, sizeof name) || !bool_of(env, values[1], &multi_queue) || !bool_of(env, values[2], &persist))
    return NULL;
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return refuse(env, errno, "open", "/dev/net/tun");
  struct ifreq request;
  memset(&request, 0, sizeof request);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | (multi_queue ? IFF_MULTI_QUEUE : 0);
  memcpy(request.ifr_name, name, sizeof name);
  const char *call = "TUNSETIFF";
  if (ioctl(fd, TUNSETIFF, &request) == 0) {
    call = "TUNSETOFFLOAD";
    if (ioctl(fd, TUNSETOFFLOAD, 0) == 0) {
      call = "TUNSETPERSIST";
      if (!persist || ioctl(fd, TUNSETPERSIST, 1) == 0) return number(env, fd);
    }
  }
  int error = errno;
  close(fd);
  return refuse(env, error, call, name);
}

// readTap(fd, memory, first, stride, count, lengths) → frames read. Frames are as long as the device's MTU allows.
napi_value read_tap(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  int32_t fd;
  struct frame_slots slots;
  if (arguments(env, info, 6, values) == 0 || !int_of(env, values[0], &fd) || !slots_of(env, values + 1, &slots)) return NULL;
  uint32_t frames = 0;
  while (frames < slots.count) {
    ssize_t length = read_frame(fd, slots.memory + slots.first + frames * slots.stride, slots.stride);
    if (length >= 0) {
      slots.lengths[frames++] = (int32_t)length;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || frames > 0) break;
    return refuse(env, errno, "read", "TAP device");
  }
  return number(env, frames);
}

// writeTap(fd, memory, frames, count, result). A frame that is refused does not stop the rest.
napi_value write_tap(napi_env env, napi_callback_info info) {
  struct frame_list list;
  if (!frames_of(env, info, FRAME_WIDTH, &list)) return NULL;
  struct write_result result = {0, 0, 0, 0};
  for (uint32_t k = 0; k < list.count; k++) {
    const uint32_t *frame = list.words + k * FRAME_WIDTH;
    ssize_t length;
    do length = write_frame(list.fd, list.memory + frame[0], frame[1]);
    while (length < 0 && errno == EINTR);
    if (length >= 0) result.sent++;
    else count_refusal(&result, errno);
  }
  return report_writes(&list, &result);
}
