// Closes an open menu when the reader turns to something else, by Escape or by a click beside it.

function close(but) {
  for (const menu of document.querySelectorAll(".menu details[open]")) {
    if (menu !== but) menu.open = false;
  }
}

document.addEventListener("click", (event) => close(event.target.closest(".menu details")));

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector(".menu details[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
