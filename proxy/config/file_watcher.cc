#include "proxy/config/file_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <filesystem>
#include <system_error>
#include <utility>

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kEvents = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                             IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr int kMaxLinks = 40;  // As path_resolution(7) allows.

struct Step {
  fs::path folder, name;
};

// Of a path: each link on the way, and the file at its end, by the folder that holds it.
std::vector<Step> WayTo(const std::string& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  std::deque<fs::path> rest(whole.begin(), whole.end());
  std::vector<Step> way;
  fs::path folder;
  int links = 0;
  while (!rest.empty()) {
    const fs::path name = std::move(rest.front());
    rest.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      folder = folder.parent_path();
      continue;
    }
    const fs::path here = folder / name;
    const fs::file_status status = fs::symlink_status(here, error);
    const bool link = fs::is_symlink(status);
    if (link || rest.empty() || !fs::exists(status)) way.push_back({folder, name});
    if (link) {
      const fs::path target = fs::read_symlink(here, error);
      if (error || ++links > kMaxLinks) break;
      if (target.is_absolute()) folder.clear();
      rest.insert(rest.begin(), target.begin(), target.end());
    } else if (!fs::exists(status)) {
      break;
    } else {
      folder = here;
    }
  }
  return way;
}

}  // namespace

FileWatcher::FileWatcher(std::vector<std::string> paths)
    : paths_(std::move(paths)), fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  Watch();
}

FileWatcher::~FileWatcher() {
  if (fd_ >= 0) close(fd_);
}

void FileWatcher::Watch() {
  if (fd_ < 0) return;
  std::map<int, std::set<std::string, std::less<>>> names;
  for (const std::string& path : paths_) {
    if (path.empty()) continue;
    for (const Step& step : WayTo(path)) {
      // The same folder has the same descriptor as before.
      const int folder = inotify_add_watch(fd_, step.folder.c_str(), kEvents);
      if (folder >= 0) names[folder].insert(step.name.string());
    }
  }
  for (const auto& [folder, unused] : names_) {
    if (!names.contains(folder)) inotify_rm_watch(fd_, folder);
  }
  names_ = std::move(names);
}

bool FileWatcher::Take() {
  bool concerned = false;
  alignas(inotify_event) char buffer[4096];
  ssize_t got = 0;
  while (fd_ >= 0 && (got = read(fd_, buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      const char* const name = event.len > 0 ? buffer + at + sizeof event : "";
      at += static_cast<ssize_t>(sizeof event + event.len);
      const auto folder = names_.find(event.wd);
      const bool overflow = (event.mask & IN_Q_OVERFLOW) != 0;
      const bool gone = (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
      concerned = concerned || overflow ||
                  (folder != names_.end() && (gone || folder->second.contains(name)));
    }
  }
  if (concerned) Watch();
  return concerned;
}

}  // namespace weir
