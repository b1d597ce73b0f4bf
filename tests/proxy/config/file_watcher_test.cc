#include "proxy/config/file_watcher.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace weir {
namespace {

namespace fs = std::filesystem;

class FileWatcherTest : public ::testing::Test {
 protected:
  FileWatcherTest() {
    std::string made = (fs::temp_directory_path() / "weir-watcher-XXXXXX").string();
    folder_ = mkdtemp(made.data());
  }
  ~FileWatcherTest() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  // What was done so far is reported at once.
  static bool Told(FileWatcher& watcher) {
    pollfd ready{watcher.fd(), POLLIN, 0};
    return poll(&ready, 1, 0) == 1 && watcher.Take();
  }

  fs::path folder_;
};

TEST_F(FileWatcherTest, AFileThatIsWrittenOrReplacedIsTold) {
  Write("a.pem", "1");
  FileWatcher watcher({Path("a.pem"), ""});
  EXPECT_FALSE(Told(watcher));
  Write("a.pem", "2");
  EXPECT_TRUE(Told(watcher));
  EXPECT_FALSE(Told(watcher)) << "once";
  Write("new", "3");
  EXPECT_FALSE(Told(watcher)) << "another file";
  fs::rename(Path("new"), Path("a.pem"));
  EXPECT_TRUE(Told(watcher));
  fs::remove(Path("a.pem"));
  EXPECT_TRUE(Told(watcher));
  Write("a.pem", "4");
  EXPECT_TRUE(Told(watcher));
}

TEST_F(FileWatcherTest, AFileThatIsMissingIsWaitedForWithItsFolders) {
  FileWatcher watcher({Path("x/y/a.pem")});
  fs::create_directories(Path("x"));
  EXPECT_TRUE(Told(watcher));
  fs::create_directories(Path("x/y"));
  EXPECT_TRUE(Told(watcher));
  Write("x/y/a.pem", "1");
  EXPECT_TRUE(Told(watcher));
}

// As the kubelet's atomic writer does: tls.crt ─▶ ..data/tls.crt, ..data ─▶ ..1, ..2, …
TEST_F(FileWatcherTest, TheLinkThatAVolumeExchangesIsTold) {
  fs::create_directories(Path("..1"));
  Write("..1/tls.crt", "1");
  fs::create_directory_symlink("..1", Path("..data"));
  fs::create_symlink("..data/tls.crt", Path("tls.crt"));
  FileWatcher watcher({Path("tls.crt")});
  for (const std::string next : {"..2", "..3"}) {
    const std::string last = fs::read_symlink(Path("..data")).string();
    fs::create_directories(Path(next));
    Write(next + "/tls.crt", next);
    fs::create_directory_symlink(next, Path("..data_tmp"));
    EXPECT_FALSE(Told(watcher)) << "not there yet";
    fs::rename(Path("..data_tmp"), Path("..data"));
    EXPECT_TRUE(Told(watcher));
    fs::remove_all(Path(last));
    static_cast<void>(Told(watcher));
  }
}

TEST_F(FileWatcherTest, ALinkIsFollowedToOtherFoldersAndMayBeCircular) {
  fs::create_directories(Path("far"));
  Write("far/a.pem", "1");
  fs::create_symlink(Path("far/../far/a.pem"), Path("a.pem"));
  FileWatcher watcher({Path("a.pem")});
  Write("far/a.pem", "2");
  EXPECT_TRUE(Told(watcher));
  fs::remove(Path("a.pem"));
  fs::create_symlink("a.pem", Path("a.pem"));
  EXPECT_TRUE(Told(watcher));
  fs::remove(Path("a.pem"));
  EXPECT_TRUE(Told(watcher));
}

TEST_F(FileWatcherTest, AFolderThatIsReplacedIsTold) {
  fs::create_directories(Path("pki"));
  Write("pki/a.pem", "1");
  FileWatcher watcher({Path("pki/a.pem")});
  fs::rename(Path("pki"), Path("old"));
  EXPECT_TRUE(Told(watcher));
  fs::create_directories(Path("pki"));
  EXPECT_TRUE(Told(watcher));
  Write("pki/a.pem", "2");
  EXPECT_TRUE(Told(watcher));
}

}  // namespace
}  // namespace weir
