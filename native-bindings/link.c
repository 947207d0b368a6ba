// A device's properties by ioctl (netdevice(7)): up, MTU, MAC and one IPv4 address.
#include "native.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int control_socket(void) { return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

// Every call begins with the device's name alone in the request.
static int ask(int control, unsigned long request, const char *name, struct ifreq *out) {
  memcpy(out->ifr_name, name, IFNAMSIZ);
  return ioctl(control, request, out);
}

static int set_address(int control, const char *name, unsigned long request, uint32_t address) {
  struct ifreq change;
  memset(&change, 0, sizeof change);
  struct sockaddr_in *in = (struct sockaddr_in *)&change.ifr_addr;
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = htonl(address);
  return ask(control, request, name, &change);
}

// setLink(name, mtu, mac: Uint8Array, address, prefix): 0, an empty array and prefix 0 leave things as they are; then up.
napi_value set_link(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  char name[IFNAMSIZ] = "";
  uint32_t mtu, address, prefix;
  uint8_t *mac;
  size_t mac_length;
  if (arguments(env, info, 5, values) == 0 || !text_of(env, values[0], name, sizeof name) || !uint_of(env, values[1], &mtu) ||
      !bytes_of(env, values[2], &mac, &mac_length) || !uint_of(env, values[3], &address) || !uint_of(env, values[4], &prefix))
    return NULL;
  if ((mac_length != 0 && mac_length != 6) || prefix > 32) return mistake(env, "a MAC has six bytes, a prefix at most 32 bits");
  int control = control_socket();
  if (control < 0) return refuse(env, errno, "socket", name);
  struct ifreq change;
  memset(&change, 0, sizeof change);
  const char *call = NULL;
  if (mac_length == 6) {
    change.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(change.ifr_hwaddr.sa_data, mac, 6);
    if (ask(control, SIOCSIFHWADDR, name, &change) != 0) call = "SIOCSIFHWADDR";
  }
  if (call == NULL && mtu != 0) {
    memset(&change, 0, sizeof change);
    change.ifr_mtu = (int)mtu;
    if (ask(control, SIOCSIFMTU, name, &change) != 0) call = "SIOCSIFMTU";
  }
  if (call == NULL && prefix != 0) {
    if (set_address(control, name, SIOCSIFADDR, address) != 0) call = "SIOCSIFADDR";
    else if (set_address(control, name, SIOCSIFNETMASK, (uint32_t)(0xffffffffull << (32 - prefix))) != 0) call = "SIOCSIFNETMASK";
  }
  if (call == NULL) {
    memset(&change, 0, sizeof change);
    if (ask(control, SIOCGIFFLAGS, name, &change) != 0) call = "SIOCGIFFLAGS";
    else {
      change.ifr_flags |= IFF_UP;
      if (ask(control, SIOCSIFFLAGS, name, &change) != 0) call = "SIOCSIFFLAGS";
    }
  }
  int error = errno;
  close(control);
  return call == NULL ? NULL : refuse(env, error, call, name);
}

// linkInfo(name, mac: Uint8Array of 6) → MTU; fills in the MAC. 0: there is no such device.
napi_value link_info(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  char name[IFNAMSIZ] = "";
  uint8_t *mac;
  size_t mac_length;
  if (arguments(env, info, 2, values) == 0 || !text_of(env, values[0], name, sizeof name) || !bytes_of(env, values[1], &mac, &mac_length)) return NULL;
  if (mac_length != 6) return mistake(env, "a MAC has six bytes");
  int control = control_socket();
  if (control < 0) return refuse(env, errno, "socket", name);
  struct ifreq link;
  memset(&link, 0, sizeof link);
  double mtu = 0;
  if (ask(control, SIOCGIFHWADDR, name, &link) == 0) {
    memcpy(mac, link.ifr_hwaddr.sa_data, 6);
    memset(&link, 0, sizeof link);
    if (ask(control, SIOCGIFMTU, name, &link) == 0) mtu = link.ifr_mtu;
  }
  int error = errno;
  close(control);
  if (mtu == 0 && error != ENODEV) return refuse(env, error, "SIOCGIFHWADDR", name);
  return number(env, mtu);
}
