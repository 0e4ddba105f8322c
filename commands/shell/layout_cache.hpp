// Layouts that debug files were read for once, kept for the next run.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/open_log.hpp"
#include "core/types/pack.hpp"

namespace kvmscope {

// $XDG_CACHE_HOME/kvmscope/layouts, else ~/.cache/…; empty when neither is known.
std::string layout_cache_folder();

// One layout pack for each build of vmlinux. It is a help and no more: what cannot be read or
// written is done without, and nobody is told.
class LayoutCache {
 public:
  // `fields`: kvm::fields_version(). The log must outlive it.
  LayoutCache(std::string folder, std::string fields, OpenLog* log);

  // nullptr: there is none that can be trusted to be our own or root's, or it is of another
  // version.
  std::shared_ptr<LayoutSource> find(std::string_view vmlinux_build_id) const;
  // Whether keep() has where to: a folder that is ours alone to write in, which is made if need be.
  // A pack of everything takes far longer to make than most commands, so this is asked first.
  bool make_folder() const;
  // Nothing is kept where make_folder() says no.
  void keep(const LayoutPack& pack) const;

 private:
  std::string path_of(std::string_view build_id) const;

  std::string folder_;
  std::string fields_;
  OpenLog* log_;
};

// Finds what `local` finds, else what the cache has. Borrows both.
std::unique_ptr<DebugFinder> make_caching_finder(const DebugFinder& local,
                                                 const LayoutCache& cache);

}  // namespace kvmscope
