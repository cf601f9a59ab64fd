// Markdown to safe markup: marked, then DOMPurify. Without them the text stays as it is.

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
// Markup in an answer is text: nobody who asks a model means to run it.
const renderer = { html: ({ text }) => text.replace(/[&<>"]/g, (c) => entities[c]) };

const parts = Promise.all([
  import("/static/vendor/marked.js").then((m) => new m.Marked({ renderer, gfm: true, breaks: true })),
  import("/static/vendor/purify.js").then((m) => m.default),
]).catch(() => null);

/** Put a text into an element. */
export async function write(element, text) {
  const found = await parts;
  if (!found) {
    element.textContent = text;
    return;
  }
  const [marked, purify] = found;
  // Nothing may be loaded from elsewhere, and an answer needs no form and no style.
  element.innerHTML = purify.sanitize(marked.parse(text), {
    FORBID_TAGS: ["img", "style", "form", "input", "iframe", "video", "audio", "svg", "math"],
    FORBID_ATTR: ["style", "id", "name"],
  });
}
