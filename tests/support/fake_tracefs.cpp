#include "tests/support/fake_tracefs.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view header_page =
    "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
    "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
    "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
    "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

constexpr std::string_view common_fields =
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
    "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n";

// Every value has 8 bytes here, whatever its type.
std::string probe_format(const std::string& event, std::uint16_t id,
                         const std::vector<std::string>& args) {
  std::string text = fmt::format("name: {}\nID: {}\nformat:\n{}", event, id, common_fields);
  std::size_t offset = 8;
  for (const std::string& arg : args) {
    text += fmt::format("\tfield:u64 {};\toffset:{};\tsize:8;\tsigned:0;\n",
                        arg.substr(0, arg.find('=')), offset);
    offset += 8;
  }
  return text + "\nprint fmt: \"(%lx)\", REC->__probe_ip\n";
}

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string first_part(const std::string& path, std::size_t from) {
  return path.substr(from, path.find('/', from) - from);
}

constexpr std::string_view instances = "instances/";

}  // namespace

FakeTracefs::FakeTracefs(unsigned cpus) : cpus_(cpus) {}

void FakeTracefs::add_event(const std::string& group, const std::string& event) {
  if (define(fmt::format("p:{}/{} somewhere", group, event)) != 0)
    throw std::runtime_error("the event exists");
}

void FakeTracefs::add_instance(const std::string& name) {
  instances_[name];
}

void FakeTracefs::add_tracepoint(const std::string& system, const std::string& name,
                                 const std::string& format) {
  const std::string full = system + '/' + name;
  ids_[full] = next_id_++;
  formats_[full] =
      fmt::format("name: {}\nID: {}\nformat:\n{}{}", name, ids_[full], common_fields, format);
}

void FakeTracefs::refuse(const std::string& place, int failed, const std::string& message) {
  refusals_[place] = {failed, message};
}

std::string FakeTracefs::state() const {
  std::string text;
  for (const auto& [name, enabled] : instances_) {
    text += name + ':';
    for (const std::string& event : enabled) text += ' ' + event;
    text += '\n';
  }
  return text + kprobe_events();
}

std::uint16_t FakeTracefs::id_of(const std::string& group, const std::string& event) const {
  return ids_.at(group + '/' + event);
}

std::string FakeTracefs::kprobe_events() const {
  std::string text;
  for (const std::string& line : events_) text += line + '\n';
  return text;
}

std::string FakeTracefs::kprobe_profile() const {
  std::string text;
  for (const std::string& line : events_) {
    const std::string full = words_of(line)[0].substr(2);
    const auto missed = missed_.find(full.substr(full.find('/') + 1));
    text += fmt::format("  {:<44} {:15} {:15}\n", full.substr(full.find('/') + 1), 0,
                        missed != missed_.end() ? missed->second : 0);
  }
  return text;
}

int FakeTracefs::read(const std::string& path, std::string& text) const {
  const auto written = files_.find(path);
  if (path == "kprobe_events") {
    text = kprobe_events();
  } else if (path == "kprobe_profile") {
    text = kprobe_profile();
  } else if (path == "error_log") {
    text = error_log_;
  } else if (path == "events/header_page") {
    text = header_page;
  } else if (path.starts_with("events/") && path.ends_with("/format")) {
    const auto format = formats_.find(path.substr(7, path.size() - 7 - 7));
    if (format == formats_.end()) return ENOENT;
    text = format->second;
  } else if (path.ends_with("/stats")) {
    const auto stats = stats_.find(static_cast<unsigned>(path[path.size() - 7] - '0'));
    text = stats != stats_.end() ? stats->second : "entries: 0\noverrun: 0\n";
  } else if (written != files_.end()) {
    text = written->second;
  } else {
    return ENOENT;
  }
  return 0;
}

bool FakeTracefs::exists(const std::string& path) const {
  return path.starts_with(instances) && instances_.contains(first_part(path, instances.size()));
}

std::vector<std::string> FakeTracefs::folders(const std::string& path) const {
  std::vector<std::string> names;
  if (path == "instances")
    for (const auto& [name, enabled] : instances_) names.push_back(name);
  if (path.ends_with("/per_cpu"))
    for (unsigned cpu = 0; cpu < cpus_; ++cpu) names.push_back(fmt::format("cpu{}", cpu));
  if (path.starts_with("events/"))
    for (const auto& [name, format] : formats_)
      if (name.starts_with(path.substr(7) + '/')) names.push_back(name.substr(path.size() - 6));
  return names;
}

int FakeTracefs::write(const std::string& path, std::string_view text) {
  done_.push_back(fmt::format("{} > {}", text, path));
  if (!exists(path)) return ENOENT;
  const std::string instance = first_part(path, instances.size());
  const std::string file = path.substr(instances.size() + instance.size() + 1);
  std::set<std::string>& enabled = instances_[instance];
  if (file == "events/enable" && text == "0") {
    enabled.clear();
  } else if (file.starts_with("events/") && file.ends_with("/enable")) {
    const std::string event = file.substr(7, file.size() - 7 - 7);
    if (!formats_.contains(event)) return ENOENT;
    if (text == "1") enabled.insert(event);
    if (text == "0") enabled.erase(event);
  } else {
    files_[path] = text;
  }
  return 0;
}

int FakeTracefs::append(const std::string& path, std::string_view text) {
  done_.push_back(fmt::format("{} >> {}", text.substr(0, text.find('\n')), path));
  if (path != "kprobe_events") return ENOENT;
  const std::string line(text.substr(0, text.find('\n')));
  return line.starts_with("-:") ? remove_event(line.substr(2)) : define(line);
}

int FakeTracefs::define(const std::string& line) {
  const std::vector<std::string> words = words_of(line);
  const std::string full = words[0].substr(2);
  if (formats_.contains(full)) return EEXIST;
  if (const auto refusal = refusals_.find(words[1]); refusal != refusals_.end()) {
    error_log_ += fmt::format("[   12.345678] trace_kprobe: error: {}\n  Command: {}\n  {:{}}^\n",
                              refusal->second.message, line, "", 9 + line.find(words[1]));
    return refusal->second.failed;
  }
  events_.push_back(line);
  ids_[full] = next_id_++;
  formats_[full] =
      probe_format(full.substr(full.find('/') + 1), ids_[full], {words.begin() + 2, words.end()});
  return 0;
}

int FakeTracefs::remove_event(const std::string& name) {
  for (const auto& [instance, enabled] : instances_)
    if (enabled.contains(name)) return EBUSY;
  const auto found = std::find_if(events_.begin(), events_.end(), [&](const std::string& line) {
    return words_of(line)[0].substr(2) == name;
  });
  if (found == events_.end()) return ENOENT;
  events_.erase(found);
  formats_.erase(name);
  ids_.erase(name);
  return 0;
}

int FakeTracefs::make_folder(const std::string& path) {
  done_.push_back("mkdir " + path);
  const std::string name = path.substr(instances.size());
  return instances_.emplace(name, std::set<std::string>()).second ? 0 : EEXIST;
}

int FakeTracefs::remove_folder(const std::string& path) {
  done_.push_back("rmdir " + path);
  const std::string name = path.substr(instances.size());
  if (!instances_.contains(name)) return ENOENT;
  if (held_[name] > 0) {
    --held_[name];
    return EBUSY;
  }
  instances_.erase(name);
  return 0;
}

FileDescriptor FakeTracefs::open_stream(const std::string& path) const {
  FileDescriptor file(memfd_create("pages", MFD_CLOEXEC));
  const std::string suffix = "/trace_pipe_raw";
  const auto cpu = static_cast<unsigned>(path[path.size() - suffix.size() - 1] - '0');
  const auto pages = pages_.find(cpu);
  if (pages == pages_.end()) return file;
  if (pwrite(file.get(), pages->second.data(), pages->second.size(), 0) < 0)
    throw std::runtime_error("cannot write a page");
  return file;
}

TracePage& TracePage::event(std::uint64_t time_ns, std::string_view data) {
  constexpr std::uint64_t time_limit = 1ULL << 27;
  std::uint64_t delta = time_ns - last_;
  last_ = time_ns;
  if (delta >= time_limit) {  // time extend
    raw(static_cast<std::uint32_t>(delta % time_limit) << 5 | 30);
    raw(static_cast<std::uint32_t>(delta / time_limit));
    delta = 0;
  }
  std::string padded(data);
  padded.resize((padded.size() + 3) / 4 * 4);
  const auto time = static_cast<std::uint32_t>(delta) << 5;
  constexpr std::size_t most_words = 28;
  if (padded.size() / 4 <= most_words && !padded.empty()) {
    raw(time | static_cast<std::uint32_t>(padded.size() / 4));
  } else {
    raw(time);
    raw(static_cast<std::uint32_t>(padded.size() + 4));
  }
  data_ += padded;
  return *this;
}

TracePage& TracePage::raw(std::uint32_t word) {
  data_.append(reinterpret_cast<const char*>(&word), sizeof word);
  return *this;
}

TracePage& TracePage::missed(std::uint64_t count) {
  missed_ = count;
  return *this;
}

std::string TracePage::bytes() const {
  std::uint64_t commit = data_.size();
  if (missed_ != 0) commit |= 1ULL << 31 | 1ULL << 30;
  return bytes_with_commit(commit);
}

std::string TracePage::bytes_with_commit(std::uint64_t commit) const {
  std::string page(16, '\0');
  std::memcpy(page.data(), &time_, sizeof time_);
  std::memcpy(page.data() + 8, &commit, sizeof commit);
  page += data_;
  if (missed_ != 0) page.append(reinterpret_cast<const char*>(&missed_), sizeof missed_);
  page.resize(4096);
  return page;
}

std::string event_data(std::uint16_t id, std::int32_t tid,
                       const std::vector<std::uint64_t>& values) {
  std::string data(8, '\0');
  std::memcpy(data.data(), &id, sizeof id);
  std::memcpy(data.data() + 4, &tid, sizeof tid);
  for (const std::uint64_t value : values)
    data.append(reinterpret_cast<const char*>(&value), sizeof value);
  return data;
}

}  // namespace kvmscope
