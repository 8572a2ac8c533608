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
    return cell.dataset.v === undefined ? cell.textContent.trim() : +cell.dataset.v;
  };
  const order = (rows) => {
    body.append(...rows);
    rows.forEach((row) => {
      const part = document.getElementById(row.dataset.of);
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
      const part = document.getElementById(row.dataset.of);
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

  // Saving the numbers that the page was made of.
  const save = document.querySelector("[data-do=save]");
  if (save) save.addEventListener("click", async () => {
    const plain = document.getElementById("data").textContent;
    const held = JSON.parse(plain);
    let blob = new Blob([plain], { type: "application/json" });
    if (held.encoding === "gzip+base64") {
      const bytes = Uint8Array.from(atob(held.data), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      blob = await new Response(stream).blob();
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "kullback.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
