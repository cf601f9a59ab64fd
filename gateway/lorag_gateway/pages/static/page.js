// A page of a document: the picture, or a hint where there is none; the mark in view; tags and date.

import { busy, call, json, toast, word } from "./api.js";

const sheet = document.getElementById("sheet");
if (sheet) {
  const missing = () => {
    sheet.hidden = true;
    sheet.nextElementSibling.hidden = false;
  };
  sheet.addEventListener("error", missing);
  if (sheet.complete && !sheet.naturalWidth) missing();
}
document.getElementById("mark")?.scrollIntoView({ block: "nearest" });

const tags = document.getElementById("tags");
tags?.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(tags.querySelector("[type=submit]"), async () => {
    const found = json(tags);
    const body = { tags: (found.tags ?? "").split(/[,、]/).map((t) => t.trim()).filter(Boolean) };
    if (found.date) body.date = `${found.date}T00:00:00Z`;
    await call("PATCH", `/api/v1/documents/${tags.dataset.document}`, body);
    toast(word("saved"));
  });
});
