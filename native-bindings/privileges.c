// Giving up root for good: groups, then group, then user (the order that setuid(2) leaves possible), for all threads.
#include "native.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

// dropPrivileges(uid, gid). Throws where it did not work, or where root could be had back.
napi_value drop_privileges(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  uint32_t uid, gid;
  if (arguments(env, info, 2, values) == 0 || !uint_of(env, values[0], &uid) || !uint_of(env, values[1], &gid)) return NULL;
  char subject[48];
  snprintf(subject, sizeof subject, "user %u, group %u", uid, gid);
  gid_t only = (gid_t)gid;
  if (setgroups(1, &only) != 0) return refuse(env, errno, "setgroups", subject);
  if (setresgid(only, only, only) != 0) return refuse(env, errno, "setresgid", subject);
  if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) != 0) return refuse(env, errno, "setresuid", subject);
  if (uid != 0 && setresuid(0, 0, 0) == 0) return refuse(env, EPERM, "setresuid gave root back to", subject);
  return NULL;
}
