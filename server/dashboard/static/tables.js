// Updating tables, writing only the cells that have changed. The head of an empty table is hidden:
// its caption says that there is nothing.

/**
 * Update the rows of a table.
 * @param {HTMLTableSectionElement} body
 * @param {{text?: string, className?: string, buttons?: Button[]}[][]} rows the first cell is the row's
 *   header; a cell has text, or buttons.
 * @typedef {{text: string, label: string, isDisabled?: boolean, onClick: () => void}} Button `label` is
 *   its name for screen readers.
 */
export function fill(body, rows) {
  body.parentElement.tHead.hidden = !rows.length;
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, place) => {
    const row = body.rows[place] ?? body.insertRow();
    cells.forEach(({ text, className = "", buttons }, column) => {
      let cell = row.cells[column];
      if (!cell) {
        cell = row.appendChild(document.createElement(column ? "td" : "th"));
        if (!column) cell.scope = "row";
      }
      if (buttons) setButtons(cell, buttons);
      else if (cell.textContent !== text) cell.textContent = text;
      if (cell.className !== className) cell.className = className;
    });
  });
}

function setButtons(cell, buttons) {
  buttons.forEach(({ text, label, isDisabled = false, onClick }, place) => {
    const button = cell.children[place] ?? cell.appendChild(document.createElement("button"));
    button.type = "button";
    if (button.textContent !== text) button.textContent = text;
    setAttribute(button, "aria-label", label);
    // A button that is really disabled would lose the focus to the page.
    setAttribute(button, "aria-disabled", String(isDisabled));
    button.onclick = isDisabled ? null : onClick;
  });
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
