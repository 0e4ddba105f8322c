// Debug files for tests: C compiled when the test runs, in a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace kvmscope {

// A temporary folder that goes away with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "kvmscope-test-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }

  std::string path(std::string_view name = "") const { return path_ / name; }

  // Folders on the way are made. Returns the path.
  std::string write(std::string_view name, std::string_view text) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }

  std::string read(std::string_view name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Runs a shell command in the folder; a failure fails the test.
  void run(const std::string& command) const {
    const int status = std::system(fmt::format("cd {} && {}", path_.string(), command).c_str());
    EXPECT_EQ(status, 0) << command;
  }

  // An object file (ET_REL, as modules are) of that name.
  std::string compile(std::string_view name, std::string_view source,
                      std::string_view compiler = "gcc -gdwarf-5") const {
    std::string path = write(name, "");
    const std::string unit = fmt::format("{}.c", std::filesystem::path(name).stem().string());
    write(unit, source);
    run(fmt::format("{} -w -c {} -o {}", compiler, unit, path));
    return path;
  }

  // A module: units joined with `ld -r`, with a build-id. Each is {file name, source}.
  std::string module(std::string_view name,
                     const std::vector<std::pair<std::string, std::string>>& units,
                     std::string_view compiler = "gcc -gdwarf-5") const {
    std::string path = write(name, "");
    std::string objects;
    for (const auto& [unit, source] : units) {
      write(unit, source);
      run(fmt::format("{} -w -c {} -o {}.o", compiler, unit, unit));
      objects += fmt::format(" {}.o", unit);
    }
    run(fmt::format("ld -r --build-id -o {}{}", path, objects));
    return path;
  }

  // An executable without libraries, as vmlinux is.
  std::string kernel(std::string_view name, std::string_view source,
                     std::string_view flags = "-gdwarf-5") const {
    std::string path = write(name, "");
    write("kernel.c", source);
    run(fmt::format("gcc -w {} -nostdlib -static -Wl,--build-id -Wl,-e,0 kernel.c -o {}", flags,
                    path));
    return path;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace kvmscope
