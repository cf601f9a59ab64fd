// Theme, language, and what buttons and drop zones of any page do.

import { busy, call, explained, localTimes, refresh, toast, upload, word } from "./api.js";
import { addJob } from "./jobs.js";

const THEMES = ["auto", "light", "dark"];
const root = document.documentElement;
const theme = document.getElementById("theme");

theme.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  root.dataset.theme = next;
  document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=strict`;
  theme.title = word(`theme.${next}`);
  toast(word(`theme.${next}`));
  document.dispatchEvent(new Event("theme"));
});
theme.title = word(`theme.${root.dataset.theme}`);

// Switching the language keeps the page and what it shows.
for (const link of document.querySelectorAll("a[data-keep-query]")) {
  const address = new URL(location.href);
  address.searchParams.set("lang", link.lang);
  link.href = address.pathname + address.search;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-post], button[data-delete]");
  if (!button) return;
  if (button.dataset.confirm && !confirm(button.dataset.confirm)) return;
  busy(button, async () => {
    const deletes = button.dataset.delete !== undefined;
    const body = button.dataset.body ? JSON.parse(button.dataset.body) : undefined;
    let found;
    try {
      found = await call(deletes ? "DELETE" : "POST", button.dataset.delete ?? button.dataset.post, body);
    } catch (error) {
      // A release that was measured to be worse is activated only by a person who has read so.
      const question = button.dataset.unlessWorse;
      if (error.reason !== "RELEASE_WORSE" || !question || !confirm(`${question}\n\n${error.message}`)) throw error;
      found = await call("POST", button.dataset.post, { ...body, force: true });
    }
    if (button.dataset.jobInto && found.job) await addJob(document.querySelector(button.dataset.jobInto), found.job);
    if (button.dataset.then === "reload") location.reload();
    else if (button.dataset.then) await refresh(document.querySelector(button.dataset.then));
    if (deletes || button.dataset.done) toast(button.dataset.done ?? word("deleted"));
  });
});

for (const zone of document.querySelectorAll("[data-drop]")) {
  const input = zone.querySelector("input[type=file]");
  const list = zone.querySelector(".uploads");
  const send = async (files) => {
    const chosen = input.multiple ? [...files] : [...files].slice(0, 1);
    for (const file of chosen) await sendOne(zone, list, file);
    input.value = "";
  };
  input.addEventListener("change", () => send(input.files));
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (e) => {
      e.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (e) => {
    e.preventDefault();
    send(e.dataTransfer.files);
  });
}

async function sendOne(zone, list, file) {
  const item = document.createElement("li");
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", file.name);
  const name = document.createElement("span");
  name.textContent = file.name;
  item.append(name, bar);
  list.append(item);
  try {
    const found = await upload(zone.dataset.drop, file, (sent, total) => {
      bar.max = total;
      bar.value = sent;
    });
    item.remove();
    zone.dispatchEvent(new CustomEvent("uploaded", { bubbles: true, detail: found }));
  } catch (error) {
    bar.remove();
    name.textContent = `${file.name}: ${explained(error)}`;
    item.className = "notice bad";
    item.setAttribute("role", "alert");
  }
}

localTimes();

// On a phone the navigation scrolls; the page that one is on should be in view.
const current = document.querySelector(".top nav [aria-current]");
if (current) current.parentElement.scrollLeft = current.offsetLeft - current.parentElement.offsetLeft - 16;
