#include "embedders/http/http_client.h"

#include <algorithm>
#include <utility>

#include <curl/curl.h>

#include "base/try.h"

namespace freshet {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};

struct EasyDeleter {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};

struct MultiDeleter {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};

struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

using Url = std::unique_ptr<CURLU, UrlDeleter>;
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

bool set_up_curl() {
  static const bool kIsReady = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return kIsReady;
}

Url parse_url(const std::string& text) {
  Url url{curl_url()};
  if (url != nullptr && curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    url.reset();
  }
  return url;
}

std::string part(const Url& url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, 0) != CURLUE_OK) return {};
  std::string copy{text};
  curl_free(text);
  return copy;
}

// 127.0.0.0/8 as four numbers: "127.0.0.1.example.org" is another host.
bool is_loopback_address(const std::string& host) {
  const bool is_numeric = host.find_first_not_of("0123456789.") == std::string::npos;
  return is_numeric && host.starts_with("127.") && std::count(host.begin(), host.end(), '.') == 3;
}

bool is_local(const std::string& host) {
  return host == "localhost" || host == "[::1]" || is_loopback_address(host);
}

bool has_control_character(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// Only what may pass by itself is `connection`, which is tried again.
Error failure_of(CURLcode code) {
  const std::string reason = curl_easy_strerror(code);
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Error{ErrorKind::config, "embedding server's certificate is not trusted"}
          .with("reason", reason)
          .fix(
              "give the certificate authority's file as `ca_file`, or use the name in the "
              "certificate");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return Error{ErrorKind::config, "embedding server's URL cannot be used"}.with("reason",
                                                                                    reason);
    case CURLE_OUT_OF_MEMORY:
      return Error{ErrorKind::internal, "out of memory in the HTTP client"};
    case CURLE_OPERATION_TIMEDOUT:
      return Error{ErrorKind::connection, "embedding server did not answer in time"};
    default:
      return Error{ErrorKind::connection, "request to the embedding server failed"}.with("reason",
                                                                                         reason);
  }
}

}  // namespace

struct HttpClient::Transfer {
  Easy easy;
  std::size_t tag = 0;
  std::string request;
  std::string answer;
  std::size_t answer_bytes_max = 0;
  bool is_too_large = false;

  static std::size_t receive(char* data, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    const std::size_t bytes = size * count;
    transfer.is_too_large = transfer.answer.size() + bytes > transfer.answer_bytes_max;
    if (transfer.is_too_large) return 0;
    transfer.answer.append(data, bytes);
    return bytes;
  }
};

struct HttpClient::Handles {
  std::unique_ptr<CURLM, MultiDeleter> multi;
  List headers;
  std::vector<std::unique_ptr<Transfer>> active;

  Status add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) return Error{ErrorKind::internal, "out of memory in the HTTP client"};
    static_cast<void>(headers.release());
    headers.reset(longer);
    return ok_status();
  }
};

Status check_endpoint(const HttpEndpoint& endpoint) {
  const Url url = parse_url(endpoint.url);
  const std::string scheme = url == nullptr ? std::string{} : part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return Error{ErrorKind::config, "embedder's url is not a URL of http or https"};
  }
  if (!part(url, CURLUPART_USER).empty() || !part(url, CURLUPART_PASSWORD).empty()) {
    return Error{ErrorKind::config, "embedder's url holds a user or password"}.fix(
        "give the key as `api_key: ${NAME_OF_A_VARIABLE}`");
  }
  if (has_control_character(endpoint.api_key.reveal())) {
    return Error{ErrorKind::config, "embedder's api_key holds a control character"}.fix(
        "check the variable it comes from for a line end");
  }
  if (scheme == "http" && !endpoint.api_key.empty() && !is_local(part(url, CURLUPART_HOST))) {
    return Error{ErrorKind::config, "embedder's api_key would be sent unencrypted"}
        .with("url", printable_url(endpoint.url))
        .fix("use https, or leave api_key away if this server needs none");
  }
  return ok_status();
}

std::string printable_url(const std::string& text) {
  const Url url = parse_url(text);
  if (url == nullptr) return "(not a URL)";
  const std::string port = part(url, CURLUPART_PORT);
  return part(url, CURLUPART_SCHEME) + "://" + part(url, CURLUPART_HOST) +
         (port.empty() ? "" : ":" + port) + part(url, CURLUPART_PATH);
}

HttpClient::HttpClient(HttpEndpoint endpoint, std::unique_ptr<Handles> handles)
    : endpoint_(std::move(endpoint)), handles_(std::move(handles)) {}

HttpClient::~HttpClient() {
  abort();
}

Result<std::unique_ptr<HttpClient>> HttpClient::open(const HttpEndpoint& endpoint) {
  FRESHET_TRY(check_endpoint(endpoint));
  auto handles = std::make_unique<Handles>();
  if (set_up_curl()) handles->multi.reset(curl_multi_init());
  if (handles->multi == nullptr) {
    return Error{ErrorKind::internal, "the HTTP client could not be set up"};
  }
  FRESHET_TRY(handles->add_header("Content-Type: application/json"));
  FRESHET_TRY(handles->add_header("Accept: application/json"));
  // Without this libcurl asks before it sends a large body, and waits a second for old servers.
  FRESHET_TRY(handles->add_header("Expect:"));
  if (!endpoint.api_key.empty()) {
    const Secret line{"Authorization: Bearer " + endpoint.api_key.reveal()};
    FRESHET_TRY(handles->add_header(line.reveal()));
  }
  return std::unique_ptr<HttpClient>(new HttpClient(endpoint, std::move(handles)));
}

Status HttpClient::start(std::size_t tag, std::string body) {
  auto transfer = std::make_unique<Transfer>();
  transfer->easy.reset(curl_easy_init());
  CURL* easy = transfer->easy.get();
  if (easy == nullptr) return Error{ErrorKind::internal, "out of memory in the HTTP client"};
  transfer->tag = tag;
  transfer->request = std::move(body);
  transfer->answer_bytes_max = endpoint_.answer_bytes_max;
  curl_easy_setopt(easy, CURLOPT_URL, endpoint_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!endpoint_.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, endpoint_.ca_file.c_str());
  }
  // A proxy must not see requests to this machine, nor a key over plain http.
  if (is_local(part(parse_url(endpoint_.url), CURLUPART_HOST))) {
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
  }
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "freshet");
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(endpoint_.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(endpoint_.request_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, handles_->headers.get());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->request.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(transfer->request.size()));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::receive);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  if (curl_multi_add_handle(handles_->multi.get(), easy) != CURLM_OK) {
    return Error{ErrorKind::internal, "the HTTP client could not start a request"};
  }
  handles_->active.push_back(std::move(transfer));
  return ok_status();
}

HttpReply HttpClient::finish(std::size_t index, int code) {
  Transfer& transfer = *handles_->active[index];
  CURL* easy = transfer.easy.get();
  HttpReply reply;
  reply.tag = transfer.tag;
  if (transfer.is_too_large) {
    reply.failure = Error{ErrorKind::protocol, "embedding server's answer is too large"}.with(
        "limit_bytes", transfer.answer_bytes_max);
  } else if (code != CURLE_OK) {
    reply.failure = failure_of(static_cast<CURLcode>(code));
  } else {
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply.status);
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0) {
      reply.retry_after = std::chrono::seconds{seconds};
    }
    reply.body = std::move(transfer.answer);
  }
  curl_multi_remove_handle(handles_->multi.get(), easy);
  handles_->active.erase(handles_->active.begin() + static_cast<std::ptrdiff_t>(index));
  return reply;
}

std::vector<HttpReply> HttpClient::poll(std::chrono::milliseconds wait) {
  CURLM* multi = handles_->multi.get();
  int running = 0;
  curl_multi_perform(multi, &running);
  const bool is_waiting = static_cast<std::size_t>(running) == handles_->active.size();
  if (is_waiting && wait.count() > 0) {
    curl_multi_poll(multi, nullptr, 0, static_cast<int>(wait.count()), nullptr);
    curl_multi_perform(multi, &running);
  }
  std::vector<HttpReply> replies;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURL* easy = message->easy_handle;
    const int code = message->data.result;
    const auto& active = handles_->active;
    const auto found = std::find_if(active.begin(), active.end(), [&](const auto& transfer) {
      return transfer->easy.get() == easy;
    });
    if (found == active.end()) continue;
    replies.push_back(finish(static_cast<std::size_t>(found - active.begin()), code));
  }
  return replies;
}

void HttpClient::abort() {
  for (const auto& transfer : handles_->active) {
    curl_multi_remove_handle(handles_->multi.get(), transfer->easy.get());
  }
  handles_->active.clear();
}

std::size_t HttpClient::active_count() const noexcept {
  return handles_->active.size();
}

}  // namespace freshet
