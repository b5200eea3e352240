// Tables whose columns sort: each head becomes a button that says how its column is sorted.

const collator = new Intl.Collator("en", { numeric: true });

/** What a cell is sorted by: numbers as numbers (they may have separators and a minus of print), gaps last. */
function key(row, column, isNumber) {
  const text = row.cells[column].textContent.trim();
  if (!isNumber) return text;
  const number = Number.parseFloat(text.replaceAll(",", "").replace("−", "-"));
  return Number.isNaN(number) ? null : number;
}

function compare(one, other, isNumber) {
  if (isNumber) return one - other;
  return collator.compare(one, other);
}

function sort(table, column, isDescending) {
  const isNumber = table.tHead.rows[0].cells[column].classList.contains("number");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: key(row, column, isNumber) }));
  rows.sort((one, other) => {
    if (one.key === null || other.key === null) return (one.key === null) - (other.key === null);
    const order = compare(one.key, other.key, isNumber);
    return isDescending ? -order : order;
  });
  body.replaceChildren(...rows.map(({ row }) => row));
}

function enhance(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      // Numbers begin with the largest: that is what one looks for.
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? second : first;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      sort(table, column, order === "descending");
    });
  });
}

for (const table of document.querySelectorAll("table[data-sortable]")) enhance(table);
