"use strict";
{
  const body = document.querySelector("tbody");
  const heads = [...document.querySelectorAll("thead th")];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const descends = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descends ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.key;
    const compare = (a, b) => (column ? key(a) - key(b) : key(a).localeCompare(key(b), undefined, { numeric: true }));
    body.append(...[...body.rows].sort((a, b) => (descends ? compare(b, a) : compare(a, b))));
  }));
}
