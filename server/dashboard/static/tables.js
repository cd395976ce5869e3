// Updating tables, writing only the cells that have changed.

/**
 * Update the rows of a table.
 * @param {HTMLTableSectionElement} body
 * @param {{text: string, className?: string}[][]} rows the first cell is the row's header.
 */
export function fill(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, place) => {
    const row = body.rows[place] ?? body.insertRow();
    cells.forEach(({ text, className = "" }, column) => {
      let cell = row.cells[column];
      if (!cell) {
        cell = row.appendChild(document.createElement(column ? "td" : "th"));
        if (!column) cell.scope = "row";
      }
      if (cell.textContent !== text) cell.textContent = text;
      if (cell.className !== className) cell.className = className;
    });
  });
}
