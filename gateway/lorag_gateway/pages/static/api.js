// What every page needs: words, calls, messages, uploads, and parts that are fetched again.

export const words = JSON.parse(document.getElementById("words").textContent);

/** A text of this page's language, `{name}`s filled in. */
export function word(key, values = {}) {
  return (words[key] ?? key.split(".").pop()).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** What went wrong and what to do about it, as the API says it. */
export class Problem extends Error {
  constructor(found, status) {
    super(found.detail ?? `HTTP ${status}`);
    this.remedy = found.remedy ?? "";
    this.reason = found.reason ?? "";
    this.status = status;
  }
}

async function problemOf(response) {
  try {
    return new Problem(await response.json(), response.status);
  } catch {
    return new Problem({ detail: `HTTP ${response.status}` }, response.status);
  }
}

/** A problem for a person: in their language where the words have it, then as the API says it. */
export function explained({ reason = "", message = "", remedy = "" }) {
  const known = words[`reason.${reason}`];
  return known ? `${known} (${message})` : [message, remedy].filter(Boolean).join(" ");
}

/** One call; JSON in, and JSON or HTML out. */
export async function call(method, address, body) {
  let response;
  try {
    response = await fetch(address, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem({ detail: word("gone") }, 0);
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return null;
  const kind = response.headers.get("Content-Type") ?? "";
  return kind.includes("json") ? response.json() : response.text();
}

/** Events of a response, as they come: [name, data, number]. */
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
      const lines = rest.slice(0, end).split("\n");
      const of = (field) => lines.find((l) => l.startsWith(`${field}: `))?.slice(field.length + 2);
      const [name, data] = [of("event"), of("data")];
      if (!name || !data) continue;
      if (name === "error") throw new Problem(JSON.parse(data), 0);
      yield [name, JSON.parse(data), Number(of("id") ?? 0)];
    }
  }
}

const KEEP_SECONDS = 60;
const RETRIES = 20;
const RETRY_MS = 1500;

/** The events of an answer, [name, data]. A connection that is lost is taken up again where it broke off. */
export async function* answer(body, signal) {
  const ask = { ...body, keep_seconds: KEEP_SECONDS };
  const headers = { "Content-Type": "application/json" };
  let response = await fetch("/api/v1/answers", { method: "POST", headers, body: JSON.stringify(ask), signal }).catch((error) => {
    throw error.name === "AbortError" ? error : new Problem({ detail: word("gone") }, 0);
  });
  const id = response.headers.get("Answer-Id");
  // To stop reading is not to stop the answer, since a lost connection looks the same to the server.
  signal.addEventListener("abort", () => id && fetch(`/api/v1/answers/${id}`, { method: "DELETE" }).catch(() => {}));
  let last = 0;
  for (let lost = 0; lost <= RETRIES; lost += 1) {
    if (response && !response.ok) throw await problemOf(response);
    try {
      if (response) {
        for await (const [name, data, number] of eventsOf(response)) {
          [last, lost] = [number, 0];
          yield [name, data];
          if (name === "end") return;
        }
      }
    } catch (error) {
      if (error instanceof Problem || error.name === "AbortError") throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    signal.throwIfAborted();
    const again = { headers: { "Last-Event-ID": String(last) }, signal };
    response = await fetch(`/api/v1/answers/${id}/events`, again).catch(() => null);
  }
  throw new Problem({ detail: word("gone") }, 0);
}

/** A message for a moment; errors stay until they are clicked away. */
export function toast(text, kind = "") {
  const note = document.createElement("div");
  note.className = `notice ${kind}`;
  note.textContent = text;
  note.addEventListener("click", () => note.remove());
  document.getElementById("toasts").append(note);
  if (kind !== "bad") setTimeout(() => note.remove(), 6000);
}

export function complain(error) {
  if (error.name === "AbortError") return;
  console.info("not done:", error.message);
  toast(explained(error), "bad");
}

/** Run an action of a button, which waits meanwhile. */
export async function busy(button, action) {
  button.disabled = true;
  try {
    return await action();
  } catch (error) {
    complain(error);
    return undefined;
  } finally {
    button.disabled = false;
  }
}

/** Fetch a part of the page again. */
export async function refresh(element) {
  element.innerHTML = await call("GET", element.dataset.part); // the server's own, escaped markup
  localTimes(element);
  element.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
}

/** A form as JSON: dots nest, empty fields are left out, numbers are numbers. */
export function json(form) {
  const found = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled) continue;
    if ((field.type === "radio" || (field.type === "checkbox" && field.dataset.kind !== "boolean")) && !field.checked) continue;
    let value = field.value;
    if (field.type === "checkbox" && field.dataset.kind === "boolean") {
      if (!field.checked) continue;
      value = true;
    } else if (value === "") continue;
    else if (field.type === "number" || field.type === "range") value = Number(value);
    else if (field.dataset.kind === "boolean") value = value === "true";
    const path = field.name.split(".");
    const last = path.pop();
    let place = found;
    for (const step of path) place = place[step] ??= {};
    if (field.type === "checkbox" && field.dataset.kind !== "boolean") (place[last] ??= []).push(value);
    else place[last] = value;
  }
  return found;
}

/** Send a file and say how far it is. */
export function upload(address, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.upload.addEventListener("progress", (e) => progress(e.loaded, e.total));
    request.addEventListener("error", () => reject(new Problem({ detail: word("gone") }, 0)));
    request.addEventListener("load", () => {
      let found = {};
      try {
        found = JSON.parse(request.responseText);
      } catch {
        found = { detail: `HTTP ${request.status}` };
      }
      if (request.status < 300) resolve(found);
      else reject(new Problem(found, request.status));
    });
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

/** A length of time for people. */
export function lasting(seconds) {
  const [s, m, h] = [Math.round(seconds) % 60, Math.floor(Math.round(seconds) / 60) % 60, Math.floor(Math.round(seconds) / 3600)];
  if (h) return word("lasted.hours", { h, m });
  return m ? word("lasted.minutes", { m, s }) : word("lasted.seconds", { s });
}

/** Times in the visitor's own zone. */
export function localTimes(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.textContent = at.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  }
}
