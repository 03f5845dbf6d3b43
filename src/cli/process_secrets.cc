#include "cli/process_secrets.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "config/url_secret.h"

namespace freshet {

void forbid_core_dumps() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

bool blank_argument_passwords(std::span<char*> arguments) {
  bool has_any = false;
  for (char* argument : arguments) {
    if (!has_url_password(argument)) continue;
    blank_url_password(argument);
    has_any = true;
  }
  return has_any;
}

}  // namespace freshet
