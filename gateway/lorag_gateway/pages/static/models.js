// Models: the quantize button, the planner, and lists that follow the jobs.

import { busy, call, complain, json, refresh } from "./api.js";
import { addJob } from "./jobs.js";

const GIB = 2 ** 30;
const form = document.getElementById("quantize");

/** Which weights the form means. */
function source(found) {
  const chosen = found.adapter ?? "";
  const base = { base_model: found.base_model ?? "", quantization: found.quantization ?? "" };
  if (chosen === "base_only") return { ...base, base_only: true };
  return chosen ? { ...base, adapter: chosen } : { ...base, newest: true };
}

document.getElementById("plan").addEventListener("click", (event) =>
  busy(event.target, async () => {
    const found = json(form);
    const gpus = (found.gpu_gib ?? "").split(/[,、\s]+/).map(Number).filter((n) => n > 0);
    const body = { ...source(found), context_tokens: found.context_tokens ?? 0, gpu_memory_bytes: gpus.map((g) => Math.round(g * GIB)) };
    document.getElementById("plan-out").innerHTML = await call("POST", "/parts/conversion-estimate", body);
  }),
);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(form.querySelector("[type=submit]"), async () => {
    const found = json(form);
    const { job } = await call("POST", "/api/v1/pipelines", { ...source(found), model: found.model });
    await addJob(document.getElementById("run"), job);
  });
});

document.addEventListener("job-ended", () => {
  for (const name of ["releases", "adapters"]) refresh(document.getElementById(name)).catch(complain);
});
