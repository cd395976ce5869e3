// Updating tables, writing only the cells that have changed. The head of an empty table is hidden:
// its caption says that there is nothing.

/**
 * Update the rows of a table.
 * @param {HTMLTableSectionElement} body
 * @param {{text: string, className?: string, onClick?: () => void, label?: string}[][]} rows the first
 *   cell is the row's header; a cell with `onClick` is a button, whose name for screen readers is `label`.
 */
export function fill(body, rows) {
  body.parentElement.tHead.hidden = !rows.length;
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, place) => {
    const row = body.rows[place] ?? body.insertRow();
    cells.forEach(({ text, className = "", onClick, label }, column) => {
      let cell = row.cells[column];
      if (!cell) {
        cell = row.appendChild(document.createElement(column ? "td" : "th"));
        if (!column) cell.scope = "row";
      }
      if (onClick) setButton(cell, text, label, onClick);
      else if (cell.textContent !== text) cell.textContent = text;
      if (cell.className !== className) cell.className = className;
    });
  });
}

function setButton(cell, text, label, onClick) {
  const button = cell.firstElementChild ?? cell.appendChild(document.createElement("button"));
  button.type = "button";
  if (button.textContent !== text) button.textContent = text;
  if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
  button.onclick = onClick;
}
