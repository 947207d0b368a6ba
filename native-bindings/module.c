// The module's table of calls. src/live/native.ts has their types.
#include "native.h"

static const struct {
  const char *name;
  napi_callback call;
} CALLS[] = {
  {"openTap", open_tap}, {"readTap", read_tap}, {"writeTap", write_tap},
  {"setLink", set_link}, {"linkInfo", link_info},
  {"openPackets", open_packets}, {"readPacket", read_packet}, {"writePacket", write_packet},
  {"openUdps", open_udps}, {"readUdp", read_udp}, {"writeUdp", write_udp},
  {"openWake", open_wake}, {"wake", wake}, {"waitReady", wait_ready},
  {"close", close_descriptor}, {"dropPrivileges", drop_privileges},
};

NAPI_MODULE_INIT() {
  for (size_t k = 0; k < sizeof CALLS / sizeof CALLS[0]; k++) {
    napi_value function;
    if (napi_create_function(env, CALLS[k].name, NAPI_AUTO_LENGTH, CALLS[k].call, NULL, &function) != napi_ok ||
        napi_set_named_property(env, exports, CALLS[k].name, function) != napi_ok)
      return NULL;
  }
  return exports;
}
