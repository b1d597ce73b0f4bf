// Tells when files may have changed: certificates, keys, CA bundles and tokens that others rotate.
//
// A rotation replaces a name: the file itself, or a link on the way to it, as the kubelet's
// `..data` in the volumes of secrets and config maps. So each folder on the way is watched
// (inotify(7)), for the names that lead to a file.
//
// Not thread-safe. A file system that reports nothing (NFS, FUSE), or a system without watches to
// spare, is silent here: files are to be read again now and then all the same.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir {

class FileWatcher {
 public:
  // Empty paths are left out; what is missing is waited for in the folder where it would be.
  explicit FileWatcher(std::vector<std::string> paths);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  // Readable when something happened in one of the folders; -1: the system has no inotify left.
  int fd() const { return fd_; }

  // Takes what has been reported. Whether it may concern one of the files; then the way to them is
  // looked up anew.
  bool Take();

 private:
  void Watch();

  const std::vector<std::string> paths_;
  const int fd_;
  std::map<int, std::set<std::string, std::less<>>> names_;  // By inotify's descriptor of a folder.
};

}  // namespace weir
