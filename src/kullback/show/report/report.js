// Sorting, filtering, folding and saving. Everything is readable without it; values are only ever set as text.
(() => {
  const all = (css, from = document) => [...from.querySelectorAll(css)];
  all("[hidden][data-do],[hidden].tools").forEach((e) => (e.hidden = false));

  // Sorting: a button in each heading that has a key; the sections follow the table's order.
  const table = document.querySelector("table.rank");
  const body = table && table.tBodies[0];
  const original = body ? [...body.rows] : [];
  const value = (row, i) => {
    const cell = row.cells[i];
    const text = cell.textContent.trim();
    const number = cell.dataset.v || text.replace(/[<,]/g, "");
    return heads[0].parentNode.cells[i].matches("[data-sort=descending]") ? +number : i ? text : +text;
  };
  const sectionOf = (row) => document.getElementById(row.querySelector("a").hash.slice(1));
  const order = (rows) => {
    body.append(...rows);
    rows.forEach((row) => {
      const part = sectionOf(row);
      if (part) part.parentNode.append(part);
    });
  };
  const heads = table ? all("thead th[data-sort]", table) : [];
  heads.forEach((th) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...th.childNodes);
    th.append(button);
    button.addEventListener("click", () => {
      const first = th.dataset.sort;
      const now = th.getAttribute("aria-sort");
      const next = now ? (now === "ascending" ? "descending" : "ascending") : first;
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const i = th.cellIndex;
      order([...original].sort((a, b) => {
        const x = value(a, i), y = value(b, i);
        return sign * (typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true }));
      }));
    });
  });

  // Filtering by name.
  const filter = document.querySelector("[data-do=filter]");
  if (filter) filter.addEventListener("input", () => {
    const want = filter.value.toLowerCase();
    original.forEach((row) => {
      const off = !row.querySelector("th").textContent.toLowerCase().includes(want);
      row.hidden = off;
      const part = sectionOf(row);
      if (part) part.hidden = off;
    });
  });

  // Folding: all at once, by following a link to a section, and for printing.
  const parts = all("details.col");
  const fold = document.querySelector("[data-do=fold]");
  const label = () => { if (fold) fold.textContent = parts.every((p) => p.open) ? "Fold all" : "Open all"; };
  if (fold) fold.addEventListener("click", () => {
    const open = !parts.every((p) => p.open);
    parts.forEach((p) => (p.open = open));
    label();
  });
  parts.forEach((p) => p.addEventListener("toggle", label));
  label();
  const follow = () => {
    const part = document.getElementById(location.hash.slice(1));
    if (part && part.matches("details")) { part.open = true; part.scrollIntoView(); }
  };
  addEventListener("hashchange", follow);
  follow();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = parts.filter((p) => !p.open);
    closed.forEach((p) => (p.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((p) => (p.open = false)));

  // The numbers that the page was made of, as text.
  const held = async () => {
    const plain = document.getElementById("data").textContent;
    const parsed = JSON.parse(plain);
    if (parsed.encoding !== "gzip+base64") return plain;
    const bytes = Uint8Array.from(atob(parsed.data), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const save = document.querySelector("[data-do=save]");
  if (save) save.addEventListener("click", async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([await held()], { type: "application/json" }));
    link.download = "kullback.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  // What cannot be seen, or turns the line around, is shown by its number; text in the page itself had that done already.
  const clean = (text) => [...text.slice(0, 400)].map((c) => /[\p{C}\p{Zl}\p{Zp}\u034f\u115f\u1160\u2800\u3164\uffa0]/u.test(c)
    ? "⟨U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩" : c).join("").slice(0, 200);

  // Tables of counts that a page with many columns leaves to its script.
  const add = (to, tag, text) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; to.append(e); return e; };
  const states = { missing: "(missing)", nan: "(NaN)", inf: "(+∞)", "-inf": "(−∞)", empty: "(empty text)", other: "(other values)" };
  all("details.col").filter((part) => !part.querySelector(".counts")).forEach((section) => {
    const part = add(section.querySelector(".body"), "details");
    part.className = "counts";
    add(part, "summary", "Counts");
    part.addEventListener("toggle", async () => {
      const column = JSON.parse(await held()).columns[section.id.slice(1) - 1];
      const made = document.createElement("table");
      const head = add(add(made, "thead"), "tr");
      ["Cell", "Reference", "Current", "Contribution"].forEach((t) => add(head, "th", t));
      const rows = add(made, "tbody");
      for (const cell of column.cells) {
        const r = cell.reference / column.rows.reference, c = cell.current / column.rows.current;
        const row = add(rows, "tr");
        add(row, "th", states[cell.kind] || clean(cell.label).replace(/^\[(.+), (.+)[)\]]$/, cell.kind === "bin" ? "$1 to $2" : "$&"));
        add(row, "td", cell.reference.toLocaleString("en"));
        add(row, "td", cell.current.toLocaleString("en"));
        add(row, "td", (c > r ? "▲ " : c < r ? "▼ " : "") + cell.contribution.toFixed(5));
      }
      part.append(made);
      if (column.cells_left_out) add(part, "p", `and ${column.cells_left_out.toLocaleString("en")} more cells; kullback compare --json writes them all`);
    }, { once: true });
  });
})();
