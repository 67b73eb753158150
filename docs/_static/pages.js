// On a phone a table that does not fit is shown row by row: each cell needs the title of its column.
const MOST_COLUMNS = 3;

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".bd-content table.table")) {
    const titles = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
    const cut = table.scrollWidth > table.parentElement.clientWidth + 1;
    if (titles.length < 2 || (titles.length <= MOST_COLUMNS && !cut)) continue;
    table.classList.add("stacked");
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.children].forEach((cell, i) => { cell.dataset.label = titles[i] || ""; });
    }
  }
});
