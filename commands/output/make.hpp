// The renderers, one function a format; renderer.cpp lists them.
#pragma once

#include <memory>

#include "commands/output/renderer.hpp"

namespace kvmscope {

using RendererPtr = std::unique_ptr<Renderer>;

RendererPtr make_table(const RenderJob& job, Output& out, Messages& messages);
RendererPtr make_tree(const RenderJob& job, Output& out, Messages& messages);
RendererPtr make_json(const RenderJob& job, Output& out, Messages& messages);
RendererPtr make_jsonl(const RenderJob& job, Output& out, Messages& messages);
RendererPtr make_report(const RenderJob& job, Output& out, Messages& messages);
RendererPtr make_csv(const RenderJob& job, Output& out, Messages& messages);
RendererPtr make_raw(const RenderJob& job, Output& out, Messages& messages);
RendererPtr make_dot(const RenderJob& job, Output& out, Messages& messages);

// --drgn: hands what the records' objects are got at with to the renderer of job.options.format.
// Throws Error{usage} where they name none.
RendererPtr make_objects(const RenderJob& job, Output& out, Messages& messages);

// Keeps all records, then hands them to `renderer` in order of job.options.sort.
RendererPtr make_sorted(const RenderJob& job, Output& out, Messages& messages,
                        RendererPtr renderer);

}  // namespace kvmscope
