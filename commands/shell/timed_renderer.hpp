// For --timing: a renderer whose time counts as print.
#pragma once

#include <memory>

#include "commands/output/renderer.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {

std::unique_ptr<Renderer> make_timed_renderer(const RenderJob& job,
                                              std::unique_ptr<Renderer> renderer, Session& session);

}  // namespace kvmscope
