// Questions: the answer streams, citations open the page with the passage marked.

import { answer as answerTo, busy, call, complain, explained, json, toast, word } from "./api.js";
import { write } from "./markdown.js";

const talk = document.getElementById("talk");
const form = document.getElementById("ask");
const question = document.getElementById("question");
const stop = document.getElementById("stop");
const dialog = document.getElementById("source");
let history = [];
let asking = null;

const make = (tag, name = "", text = "") => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
};

const where = (source) => word("place", { name: source.document_name, page: source.page });

function turn(kind, label) {
  const element = make("article", `turn ${kind}`);
  element.setAttribute("aria-label", label);
  talk.append(element);
  return element;
}

function open(source) {
  const span = { span_start: source.span_start, span_end: source.span_end };
  const image = document.getElementById("source-image");
  image.hidden = false;
  image.nextElementSibling.hidden = true;
  image.alt = where(source);
  image.src = `/api/v1/documents/${source.document_id}/pages/${source.page}/image?${new URLSearchParams(span)}`;
  document.getElementById("source-h").textContent = image.alt;
  document.getElementById("source-text").textContent = source.quote ?? source.text;
  const at = new URLSearchParams({ page: source.page, start: source.span_start, end: source.span_end });
  document.getElementById("source-link").href = `/documents/${source.document_id}?${at}`;
  dialog.showModal();
}

document.getElementById("source-image").addEventListener("error", (event) => {
  event.target.hidden = true;
  event.target.nextElementSibling.hidden = false;
});

function cite(source, text) {
  const button = make("button", "cite", text);
  button.type = "button";
  button.title = where(source);
  button.setAttribute("aria-label", `[${source.number ?? ""}] ${button.title}`);
  button.addEventListener("click", () => open(source));
  return button;
}

/** Turn the [n]s of an answer into buttons. */
function linkMarks(element, sources) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) if (/\[\d+\]/.test(walker.currentNode.data)) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const pieces = node.data.split(/(\[\d+\])/).map((piece) => {
      const source = sources.find((s) => `[${s.number}]` === piece);
      return source ? cite(source, String(source.number)) : document.createTextNode(piece);
    });
    node.replaceWith(...pieces);
  }
}

function details(answer, said, sources, end) {
  if (sources.sources.length) {
    const list = make("div", "cites");
    list.setAttribute("aria-label", word("ask.sources"));
    list.setAttribute("role", "group");
    for (const s of sources.sources) {
      const cited = end.cited.includes(s.number);
      if (cited || !end.cited.length) list.append(cite(s, `${s.number} ${where(s)}`));
    }
    if (said) list.append(copier(said, sources.sources, end.cited));
    answer.append(list);
  }
  if (end.refusal) answer.append(make("p", "notice warn", end.refusal));
  const checked = (end.sentences ?? []).filter((s) => s.text.trim());
  if (checked.length) {
    const more = make("details", "sentences");
    const good = checked.filter((s) => s.status === "SENTENCE_STATUS_SUPPORTED").length;
    more.append(make("summary", "", `${word("ask.sentences")} (${good}/${checked.length} ${word("sentence.supported")})`));
    const list = make("ul");
    for (const s of checked) {
      const state = s.status.replace("SENTENCE_STATUS_", "").toLowerCase();
      const line = make("li", "", `${s.text} `);
      const kind = { supported: "ok", contradicted: "failed", unsupported: "pending" }[state] ?? "";
      line.append(make("span", `badge ${kind}`, word(`sentence.${state}`)), " ");
      const shown = new Set();
      for (const c of s.citations) {
        // Overlapping passages of a page are one place to a reader.
        if (shown.has(`${c.document_id} ${c.page}`)) continue;
        shown.add(`${c.document_id} ${c.page}`);
        line.append(cite(c, where(c)));
      }
      if (s.reason) line.append(make("span", "muted", ` ${s.reason}`));
      list.append(line);
    }
    more.append(list);
    answer.append(more);
  }
  const found = make("details", "found");
  found.append(make("summary", "", word("ask.details")));
  if (sources.query) found.append(make("p", "muted", `${word("ask.searched")}: ${sources.query}`));
  for (const notice of sources.notices ?? []) found.append(make("p", "notice warn", notice));
  for (const s of sources.sources) {
    const hit = make("div", "hit");
    hit.append(cite(s, String(s.number)), make("b", "", ` ${where(s)} `));
    hit.append(make("span", "muted", `${word("ask.score")} ${s.score.toFixed(3)}`), make("blockquote", "", s.text));
    if (s.suspicious) hit.append(make("p", "notice warn", word("ask.suspicious")));
    found.append(hit);
  }
  const seconds = { first: end.first_token_seconds.toFixed(2), total: end.total_seconds.toFixed(2) };
  found.append(make("p", "muted", `${word("ask.tokens", { sent: end.prompt_tokens, answer: end.answer_tokens })} · ${word("ask.timing", seconds)} · ${end.model}`));
  answer.append(found);
}

/** A button that copies an answer with the places that it cites, ready for a mail. */
function copier(said, sources, cited) {
  const button = make("button", "small copy", word("ask.copy"));
  button.type = "button";
  const places = sources.filter((s) => cited.includes(s.number)).map((s) => `[${s.number}] ${where(s)}`);
  button.addEventListener("click", () =>
    busy(button, async () => {
      await navigator.clipboard.writeText([said.trim(), "", ...places].join("\n").trim());
      toast(word("ask.copied"));
    }),
  );
  return button;
}

async function ask(asked) {
  const { legs, ...wanted } = json(form);
  const mine = turn("user", word("ask.you"));
  mine.append(make("p", "text", asked));
  const answer = turn("model busy", "LoRAG");
  const thinking = make("details", "thought");
  const thought = make("div", "thinking");
  thinking.append(make("summary", "", word("ask.thinking")), thought);
  thinking.hidden = true;
  const text = make("div", "text");
  answer.append(thinking, text);
  answer.scrollIntoView({ block: "nearest" });
  let said = "";
  let pieces = 0;
  let sources = { sources: [] };
  asking = new AbortController();
  stop.hidden = false;
  try {
    for await (const [name, data] of answerTo({ ...wanted, question: asked, history }, asking.signal)) {
      if (name === "sources") sources = data;
      else if (name === "thinking") {
        thinking.hidden = false;
        thought.textContent += data.text;
      } else if (name === "text") {
        said += data.text;
        pieces += 1;
        answer.dataset.pieces = pieces;
        await write(text, said);
        linkMarks(text, sources.sources);
      } else if (name === "end") {
        answer.dataset.ended = "yes";
        details(answer, said, sources, data);
      }
    }
    history = [...history, { role: "user", text: asked }, { role: "assistant", text: said }];
  } catch (error) {
    if (error.name === "AbortError") answer.append(make("p", "muted", word("ask.stopped")));
    else {
      const note = make("p", "notice bad", explained(error));
      note.setAttribute("role", "alert");
      answer.append(note);
    }
  } finally {
    answer.classList.remove("busy");
    stop.hidden = true;
    asking = null;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = question.value.trim();
  if (!asked || asking) return;
  question.value = "";
  ask(asked);
});

question.addEventListener("keydown", (event) => {
  // Enter sends, but not the one that ends an input method's conversion.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

stop.addEventListener("click", () => asking?.abort());
document.getElementById("anew").addEventListener("click", () => {
  asking?.abort();
  history = [];
  talk.replaceChildren();
  question.focus();
});

document.getElementById("search").addEventListener("click", async () => {
  const query = question.value.trim();
  if (!query) {
    question.focus();
    return;
  }
  const { legs, top_k, document_ids } = json(form);
  try {
    const found = await call("POST", "/api/v1/search", { query, mode: legs, top_k: top_k ?? 0, document_ids: document_ids ?? [] });
    const result = turn("model", word("ask.hits"));
    result.append(make("h2", "", `${word("ask.hits")}: ${query}`));
    for (const notice of found.notices ?? []) result.append(make("p", "notice warn", explained(notice)));
    if (!found.hits.length) result.append(make("p", "muted", word("ask.no_hits")));
    found.hits.forEach((hit, i) => {
      const shown = make("div", "hit");
      shown.append(cite({ ...hit, number: i + 1 }, String(i + 1)), make("b", "", ` ${where(hit)} `));
      const ranks = [
        hit.keyword_rank && word("ask.rank.keyword", { n: hit.keyword_rank }),
        hit.vector_rank && word("ask.rank.vector", { n: hit.vector_rank }),
      ];
      const facts = [`${word("ask.score")} ${hit.score.toFixed(3)}`, ...ranks].filter(Boolean).join(" · ");
      shown.append(make("span", "muted", facts), make("blockquote", "", hit.text));
      result.append(shown);
    });
    result.scrollIntoView({ block: "nearest" });
  } catch (error) {
    complain(error);
  }
});
