// Fine-tuning: upload, look, start, watch.

import { busy, call, complain, json, refresh, toast, word } from "./api.js";
import { addJob } from "./jobs.js";

const form = document.getElementById("training");
const run = document.getElementById("run");

document.addEventListener("uploaded", () => refresh(document.getElementById("datasets")).catch(complain));

document.getElementById("from-documents")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = json(event.target);
  busy(event.target.querySelector("[type=submit]"), async () => {
    const { dataset } = await call("POST", "/api/v1/datasets:from-documents", asked);
    await refresh(document.getElementById("datasets"));
    toast(word("training.documents.made", { name: dataset.name, count: dataset.example_count }));
  });
});

/** What the form asks for, or nothing and a hint. */
function wanted() {
  if (!form.reportValidity()) return null;
  const found = json(form);
  if (!found.dataset_id) {
    toast(word("upload.choose_dataset"), "bad");
    return null;
  }
  return found;
}

function look(button, address, out) {
  document.getElementById(button).addEventListener("click", (event) => {
    const found = wanted();
    if (!found) return;
    const { base_model, dataset_id, settings = {} } = found;
    busy(event.target, async () => {
      document.getElementById(out).innerHTML = await call("POST", address, { base_model, dataset_id, settings });
    });
  });
}

look("preview", "/parts/preview", "preview-out");
look("estimate", "/parts/training-estimate", "estimate-out");

async function start(address, body) {
  const { job } = await call("POST", address, body);
  await addJob(run, job);
  run.scrollIntoView({ behavior: "smooth" });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const found = wanted();
  if (found) busy(document.getElementById("pipeline"), () => start("/api/v1/pipelines", found));
});

document.getElementById("train-only").addEventListener("click", (event) => {
  const found = wanted();
  if (!found) return;
  const { base_model, dataset_id, settings = {} } = found;
  busy(event.target, () => start("/api/v1/trainings", { base_model, dataset_id, settings }));
});
