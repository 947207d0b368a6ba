// Arguments from JavaScript, checked, and errors back to it.
#include "native.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

napi_value mistake(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

// Fills `values`; 0 (with an exception) where fewer than `wanted` were passed.
size_t arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *values) {
  size_t count = MAX_ARGUMENTS;
  if (napi_get_cb_info(env, info, &count, values, NULL, NULL) != napi_ok || count < wanted) {
    mistake(env, "too few arguments");
    return 0;
  }
  return count;
}

bool int_of(napi_env env, napi_value value, int32_t *out) {
  if (napi_get_value_int32(env, value, out) == napi_ok) return true;
  mistake(env, "a number is wanted");
  return false;
}

bool uint_of(napi_env env, napi_value value, uint32_t *out) {
  if (napi_get_value_uint32(env, value, out) == napi_ok) return true;
  mistake(env, "a number is wanted");
  return false;
}

bool bool_of(napi_env env, napi_value value, bool *out) {
  if (napi_get_value_bool(env, value, out) == napi_ok) return true;
  mistake(env, "a boolean is wanted");
  return false;
}

bool text_of(napi_env env, napi_value value, char *out, size_t room) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) == napi_ok && length < room &&
      napi_get_value_string_utf8(env, value, out, room, &length) == napi_ok)
    return true;
  mistake(env, "a text is wanted, or it is too long");
  return false;
}

static bool array_of(napi_env env, napi_value value, napi_typedarray_type wanted, void **out, size_t *length) {
  napi_typedarray_type type;
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) == napi_ok && is_array &&
      napi_get_typedarray_info(env, value, &type, length, out, NULL, NULL) == napi_ok && type == wanted)
    return true;
  mistake(env, "a typed array is wanted");
  return false;
}

bool bytes_of(napi_env env, napi_value value, uint8_t **out, size_t *length) { return array_of(env, value, napi_uint8_array, (void **)out, length); }

bool words_of(napi_env env, napi_value value, int32_t **out, size_t *length) { return array_of(env, value, napi_int32_array, (void **)out, length); }

// memory: Uint8Array, first, stride, count, lengths: Int32Array. Every slot lies inside the memory.
bool slots_of(napi_env env, const napi_value *values, struct frame_slots *out) {
  size_t lengths = 0;
  if (!bytes_of(env, values[0], &out->memory, &out->size) || !uint_of(env, values[1], &out->first) || !uint_of(env, values[2], &out->stride) ||
      !uint_of(env, values[3], &out->count) || !words_of(env, values[4], &out->lengths, &lengths))
    return false;
  if (out->count <= lengths && (uint64_t)out->first + (uint64_t)out->stride * out->count <= out->size) return true;
  mistake(env, "the slots reach beyond the memory");
  return false;
}

// fd, memory: Uint8Array, list: Int32Array, count, result: Int32Array of four words. Every frame lies inside the memory.
bool frames_of(napi_env env, napi_callback_info info, uint32_t width, struct frame_list *out) {
  napi_value values[MAX_ARGUMENTS];
  int32_t *words;
  size_t size, room, results;
  if (arguments(env, info, 5, values) == 0 || !int_of(env, values[0], &out->fd) || !bytes_of(env, values[1], &out->memory, &size) ||
      !words_of(env, values[2], &words, &room) || !uint_of(env, values[3], &out->count) || !words_of(env, values[4], &out->result, &results))
    return false;
  out->words = (const uint32_t *)words;
  out->width = width;
  bool fits = (uint64_t)out->count * width <= room && results >= sizeof(struct write_result) / sizeof(int32_t);
  for (uint32_t k = 0; fits && k < out->count; k++) fits = (uint64_t)out->words[k * width] + out->words[k * width + 1] <= size;
  if (!fits) mistake(env, "a frame reaches beyond the memory, or the list is shorter than it says");
  return fits;
}

napi_value number(napi_env env, double value) {
  napi_value result = NULL;
  napi_create_double(env, value, &result);
  return result;
}

// The errors that these calls meet (errno(3)); others go by their number.
const char *errno_name(int error) {
  static const struct { int number; const char *name; } names[] = {
    {EPERM, "EPERM"}, {ENOENT, "ENOENT"}, {EIO, "EIO"}, {ENXIO, "ENXIO"}, {EBADF, "EBADF"}, {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"}, {EACCES, "EACCES"},
    {EBUSY, "EBUSY"}, {EEXIST, "EEXIST"}, {ENODEV, "ENODEV"}, {EINVAL, "EINVAL"}, {EMFILE, "EMFILE"}, {ENFILE, "ENFILE"}, {ENOTTY, "ENOTTY"},
    {EBADFD, "EBADFD"}, {EMSGSIZE, "EMSGSIZE"}, {EOPNOTSUPP, "EOPNOTSUPP"}, {EAFNOSUPPORT, "EAFNOSUPPORT"}, {EADDRINUSE, "EADDRINUSE"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"}, {ENETDOWN, "ENETDOWN"}, {ENETUNREACH, "ENETUNREACH"}, {ENOBUFS, "ENOBUFS"}, {EHOSTUNREACH, "EHOSTUNREACH"},
    {ECONNREFUSED, "ECONNREFUSED"}, {ERANGE, "ERANGE"}, {ENAMETOOLONG, "ENAMETOOLONG"}, {E2BIG, "E2BIG"}, {EPROTONOSUPPORT, "EPROTONOSUPPORT"},
  };
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
    if (names[k].number == error) return names[k].name;
  static _Thread_local char other[24];
  snprintf(other, sizeof other, "errno %d", error);
  return other;
}

static void put_text(napi_env env, napi_value object, const char *key, const char *text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) napi_set_named_property(env, object, key, value);
}

napi_value refuse(napi_env env, int error, const char *call, const char *subject) {
  char message[256];
  const char *name = errno_name(error);
  snprintf(message, sizeof message, "%s: %s %s: %s", name, call, subject, strerror(error));
  napi_value code, text, object;
  if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code) != napi_ok || napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text) != napi_ok ||
      napi_create_error(env, code, text, &object) != napi_ok)
    return mistake(env, message);
  put_text(env, object, "syscall", call);
  put_text(env, object, "subject", subject);
  napi_throw(env, object);
  return NULL;
}

napi_value refuse_all(napi_env env, const int32_t *fds, size_t opened, const char *call, const char *subject) {
  int error = errno;
  for (size_t k = 0; k < opened; k++) close(fds[k]);
  return refuse(env, error, call, subject);
}

void count_refusal(struct write_result *result, int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS) result->full++;
  else {
    result->refused++;
    result->error = error;
  }
}

napi_value report_writes(const struct frame_list *list, const struct write_result *result) {
  memcpy(list->result, result, sizeof *result);
  return NULL;
}
