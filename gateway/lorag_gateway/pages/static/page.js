// A page of a document: the picture, or a hint where there is none; and the mark in view.

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
