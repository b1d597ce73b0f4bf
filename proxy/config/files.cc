#include "proxy/config/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace weir {
namespace {

Status FileError(const std::string& path, int error) {
  const std::string text = fmt::format("{}: {}", path, std::generic_category().message(error));
  if (error == ENOENT || error == ENOTDIR) return NotFound(text);
  if (error == EACCES) return MakeStatus(absl::StatusCode::kPermissionDenied, text);
  return InvalidArgument(text);
}

StatusOr<std::string> ReadAll(int fd, const std::string& path, size_t max_bytes) {
  struct stat info;
  if (fstat(fd, &info) != 0) return FileError(path, errno);
  if (!S_ISREG(info.st_mode)) return InvalidArgument(fmt::format("{}: not a file", path));
  std::string out;
  char buffer[16384];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path, errno);
    if (got == 0) return out;
    out.append(buffer, static_cast<size_t>(got));
    if (out.size() > max_bytes) {
      return InvalidArgument(fmt::format("{}: larger than {} bytes", path, max_bytes));
    }
  }
}

}  // namespace

StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes) {
  // Not blocking: a named pipe must not hang the process before it is seen to be none.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(path, errno);
  StatusOr<std::string> text = ReadAll(fd, path, max_bytes);
  close(fd);
  return text;
}

std::string ResolvePath(const std::string& folder, const std::string& name) {
  if (name.empty() || name.front() == '/') return name;
  return (std::filesystem::path(folder) / name).string();
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace weir
