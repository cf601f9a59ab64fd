// Jobs: one event stream for all jobs of a page, which comes back by itself when the gateway does.

import { busy, call, complain, explained, lasting, localTimes, refresh, word, words } from "./api.js";
import { Chart } from "./chart.js";

const FINAL = ["succeeded", "failed", "cancelled"];
const RETRY_MS = 1500;
const charts = new Map();
const finals = new Set();
let source = null;
let watched = "";

const stateOf = (job) => job.state.split("STATE_").pop().toLowerCase();
const cards = () => [...document.querySelectorAll("[data-job]")].filter((c) => c.dataset.job);

/** Watch what is on the page now. */
export function watchAll() {
  for (const card of cards()) prepare(card);
  const open = [...new Set(cards().filter((c) => !FINAL.includes(c.dataset.state)).map((c) => c.dataset.job))];
  const wanted = open.sort().join(",");
  if (wanted === watched && source && source.readyState !== EventSource.CLOSED) return;
  source?.close();
  source = null;
  watched = wanted;
  if (!open.length) return;
  source = new EventSource(`/api/v1/events?${new URLSearchParams(open.map((id) => ["job_id", id]))}`);
  source.addEventListener("job", (event) => show(JSON.parse(event.data)));
  source.addEventListener("error", (event) => {
    // A problem that the server names, or a connection that the browser gave up; a lost one it takes up itself.
    if (event.data !== undefined || source.readyState === EventSource.CLOSED) {
      source.close();
      watched = "";
      setTimeout(watchAll, RETRY_MS);
    }
  });
}

/** Put a new job's card on the page, as the server renders it. */
export async function addJob(into, job) {
  const place = document.createElement("div");
  place.innerHTML = await call("GET", `/parts/jobs/${job.id}`);
  for (const old of into.querySelectorAll(":scope > p.muted")) old.remove();
  into.prepend(...place.children);
  localTimes(into);
  watchAll();
}

function prepare(card) {
  if (card.dataset.ready) return;
  card.dataset.ready = "yes";
  card.querySelector("[data-cancel]")?.addEventListener("click", (event) =>
    busy(event.target, async () => show((await call("POST", `/api/v1/jobs/${card.dataset.job}:cancel`)).job)),
  );
  card.querySelector("[data-again]")?.addEventListener("click", (event) =>
    busy(event.target, async () => {
      const { job } = await call("POST", "/api/v1/pipelines", JSON.parse(card.dataset.asked));
      location.href = `/jobs/${job.id}`;
    }),
  );
  const figure = card.querySelector("[data-chart]");
  if (figure) charts.set(card.dataset.job, new Chart(figure, card.dataset.job));
  const log = card.querySelector("[data-log]");
  log?.addEventListener("toggle", () => log.open && readLog(log));
}

async function readLog(log) {
  const pre = log.querySelector("pre");
  pre.textContent = (await call("GET", `/api/v1/jobs/${log.dataset.log}/log`)).text;
  pre.scrollTop = pre.scrollHeight;
}

function show(job) {
  const state = stateOf(job);
  for (const card of cards().filter((c) => c.dataset.job === job.id)) {
    card.dataset.state = state;
    const badge = card.querySelector(".badge");
    if (badge && card.classList.contains("job")) {
      badge.className = `badge ${state}`;
      badge.textContent = word(`state.${state}`);
    }
    const progress = job.progress ?? {};
    const bar = card.querySelector(":scope > progress");
    if (bar) {
      bar.hidden = FINAL.includes(state);
      bar.max = progress.total || 1;
      if (progress.total) bar.value = progress.completed;
      else if (state === "running") bar.removeAttribute("value");
    }
    const put = (name, text) => {
      const place = card.querySelector(`[data-${name}]`);
      if (place) place.textContent = text;
    };
    put("stage", state === "succeeded" ? "" : (words[`stage.${progress.stage}`] ?? progress.stage ?? ""));
    put("count", progress.total && !FINAL.includes(state) ? `${round(progress.completed)}/${round(progress.total)}` : "");
    put("message", progress.message ?? "");
    const left = progress.metrics?.eta_seconds;
    put("left", left && state === "running" ? word("job.left", { time: lasting(left) }) : "");
    if (FINAL.includes(state) && job.start_time && job.end_time) put("lasted", lasting((new Date(job.end_time) - new Date(job.start_time)) / 1000));
    stages(card, progress.stage, state);
    const reveal = (name, shown) => {
      const place = card.querySelector(`[data-${name}]`);
      if (place) place.hidden = !shown;
    };
    reveal("cancel", !FINAL.includes(state));
    reveal("again", state === "failed" || state === "cancelled");
    reveal("next", state === "succeeded");
    const error = card.querySelector("[data-error]");
    if (error && job.error) {
      error.hidden = false;
      error.textContent = explained(job.error);
    }
    charts.get(job.id)?.add(job.progress);
    const log = card.querySelector("details[data-log][open]");
    if (log && FINAL.includes(state)) readLog(log);
  }
  if (FINAL.includes(state) && !finals.has(job.id)) {
    finals.add(job.id);
    document.dispatchEvent(new CustomEvent("job-ended", { detail: { job, state } }));
    watchAll();
  }
}

/** The stages of a pipeline: done, the one that runs, the one that failed. */
function stages(card, at, state) {
  const steps = [...card.querySelectorAll(".stages li")];
  const found = steps.findIndex((s) => s.dataset.name === at);
  const reached = state === "succeeded" ? steps.length : Math.max(found, 0);
  const here = { running: "now", failed: "failed", cancelled: "failed" }[state] ?? "";
  steps.forEach((step, i) => {
    step.className = i < reached ? "done" : i === reached ? here : "";
    if (step.className === "now") step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
}

const round = (n) => (Number.isInteger(n) ? n : n.toFixed(1));

document.addEventListener("refreshed", watchAll);
document.addEventListener("job-ended", () => {
  const list = document.querySelector("#jobs[data-part]");
  if (list) refresh(list).catch(complain);
});
watchAll();
