// What the theme leaves out for readers who listen to a page: names of the arrows that unfold the table of contents, and a
// list's role for what Sphinx calls a list of citations but does not make one.
document.addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll("summary")) {
    if (!summary.textContent.trim()) {
      const link = summary.parentElement.previousElementSibling;
      summary.setAttribute("aria-label", `Pages below ${link ? link.textContent.trim() : "this one"}`);
    }
  }
  for (const list of document.querySelectorAll('.citation-list[role="list"]')) list.removeAttribute("role");
});
