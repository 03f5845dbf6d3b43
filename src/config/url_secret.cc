#include "config/url_secret.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace freshet {
namespace {

struct Range {
  std::size_t begin;
  std::size_t end;
};

// In `scheme://user:password@host`, the password; up to the last @ before the path.
void find_in_authority(std::string_view url, std::vector<Range>& found) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return;
  const std::size_t begin = scheme + 3;
  // A password may hold an unescaped @ or slash: everything up to the last @ counts as one.
  std::size_t at = url.substr(0, url.find('?', begin)).rfind('@');
  if (at == std::string_view::npos || at < begin) at = url.rfind('@');
  if (at == std::string_view::npos || at < begin) return;
  const std::size_t colon = url.find(':', begin);
  if (colon != std::string_view::npos && colon < at && colon + 1 < at) {
    found.push_back({colon + 1, at});
  }
}

// `password=` and `sslpassword=`, in a query or in a connection string.
void find_parameters(std::string_view url, std::vector<Range>& found) {
  constexpr std::string_view kKey = "password";
  const bool is_uri = url.find("://") != std::string_view::npos;
  for (std::size_t at = url.find(kKey); at != std::string_view::npos; at = url.find(kKey, at + 1)) {
    std::size_t begin = at + kKey.size();
    while (begin < url.size() && url[begin] == ' ' && !is_uri)
      ++begin;
    if (begin >= url.size() || url[begin] != '=') continue;
    ++begin;
    while (begin < url.size() && url[begin] == ' ' && !is_uri)
      ++begin;
    std::size_t end = 0;
    if (!is_uri && begin < url.size() && url[begin] == '\'') {
      end = begin + 1;
      while (end < url.size() && url[end] != '\'')
        end += url[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, url.size());
    } else {
      end = std::min(url.find_first_of(is_uri ? "&#" : " \t\n", begin), url.size());
    }
    if (end > begin) found.push_back({begin, end});
  }
}

std::vector<Range> find_passwords(std::string_view url) {
  std::vector<Range> found;
  find_in_authority(url, found);
  find_parameters(url, found);
  std::sort(found.begin(), found.end(), [](Range a, Range b) { return a.begin < b.begin; });
  return found;
}

}  // namespace

bool has_url_password(std::string_view url) {
  return !find_passwords(url).empty();
}

std::string redact_url(std::string_view url) {
  std::string redacted;
  std::size_t at = 0;
  for (const Range& range : find_passwords(url)) {
    if (range.begin < at) continue;
    redacted += url.substr(at, range.begin - at);
    redacted += "***";
    at = range.end;
  }
  redacted += url.substr(at);
  return redacted;
}

void blank_url_password(char* url) {
  for (const Range& range : find_passwords(url)) {
    std::memset(url + range.begin, 'x', range.end - range.begin);
  }
}

}  // namespace freshet
