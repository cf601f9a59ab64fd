// Settings: what answering works by, the index, keys.

import { busy, call, json, toast, word } from "./api.js";
import { addJob } from "./jobs.js";

function on(id, action) {
  const form = document.getElementById(id);
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(form.querySelector("[type=submit]"), () => action(form));
  });
}

const weight = document.getElementById("weight");
weight?.addEventListener("input", () => {
  delete weight.dataset.untouched;
  document.getElementById("weight-out").textContent = weight.value;
});

on("config", async (form) => {
  const found = json(form);
  // As long as nobody moves it, the weight stays the measured one.
  if (weight.dataset.untouched !== undefined) delete found.vector_weight;
  await call("PATCH", "/api/v1/config", { embedder: "", ...found });
  toast(word("saved"));
});

on("reindex", async (form) => {
  const { job } = await call("POST", "/api/v1/index:reindex", json(form));
  await addJob(document.getElementById("run"), job);
});

on("explain", async (form) => {
  const { tokens } = await call("POST", "/api/v1/index:explain", json(form));
  const out = document.getElementById("explain-out");
  out.replaceChildren(
    ...tokens.map((t) => {
      const shown = document.createElement("span");
      shown.className = t.chunk_count ? "token learned" : "token";
      shown.textContent = `${t.term} ${t.chunk_count}`;
      return shown;
    }),
  );
});

on("key", async (form) => {
  const { secret } = await call("POST", "/api/v1/keys", json(form));
  const out = document.getElementById("secret");
  out.hidden = false;
  out.textContent = `${word("settings.secret")} ${secret}`;
  form.reset();
});
