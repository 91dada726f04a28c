for (const text of document.querySelectorAll(".shares.whole")) {
  const parts = [...text.querySelectorAll("span")], says = text.parentElement.querySelector(".says");
  let at = -1;
  const show = (number) => {
    if (!parts.length) return;
    if (at >= 0) parts[at].classList.remove("chosen");
    at = Math.max(0, Math.min(parts.length - 1, number));
    parts[at].classList.add("chosen");
    says.textContent = parts[at].dataset.says;
  };
  parts.forEach((part, number) => part.addEventListener("click", () => show(number)));
  text.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); show(at + step); }
  });
}
