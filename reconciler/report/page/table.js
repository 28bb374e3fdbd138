
(() => {
  const picture = document.getElementById("picture");
  // On a phone the search comes first.
  if (picture && matchMedia("(max-width: 40rem)").matches) picture.open = false;
  const table = document.querySelector(".listing");
  if (!table) return;
  const form = document.querySelector("form");
  const shown = document.getElementById("shown");
  const again = form.querySelector("button");
  const asks = form.elements;
  const body = table.tBodies[0];
  const heads = [...table.querySelectorAll("[data-by]")];
  const head = (by) => heads.find((each) => each.dataset.by === by);
  const counts = (by) => "number" in head(by).dataset;
  const value = (cell, by) => {
    if (!counts(by)) return (cell.querySelector("b") ?? cell).textContent;
    return "n" in cell.dataset ? Number(cell.dataset.n) : "";
  };
  const row = (node, place) => {
    const cells = [...node.cells];
    const values = Object.fromEntries(heads.map(({ dataset: { by } }, i) => [by, value(cells[i], by)]));
    const said = cells.filter((_, i) => !counts(heads[i].dataset.by)).map((cell) => cell.textContent);
    return { node, place, first: cells[0].textContent, values: { ...values, ...node.dataset }, text: folded(said.join(" ")) };
  };
  const rows = [...body.rows].map(row);
  const total = rows.length;
  const named = (number) => number.toLocaleString("en") + " " + (number === 1 ? table.dataset.one : table.dataset.many);
  // What is asked for besides words: columns, and what rows say of themselves.
  const choices = [...new Set([...asks].map((field) => field.name))].filter((name) => name && name !== "q");
  const chosen = (name) => (asks[name] ? asks[name].value : "");
  const choose = (name, value) => {
    const field = asks[name];
    if (field instanceof RadioNodeList) for (const one of field) one.checked = one.value === value;
    else if (field) field.value = value;
  };

  // Many rows change at once where nobody sees them.
  const apart = (change) => {
    body.remove();
    const found = change();
    table.append(body);
    return found;
  };

  const filter = () => {
    const words = wordsIn(asks.q.value);
    const asked = choices.filter(chosen).map((name) => [name, chosen(name)]);
    const wanted = (each) => asked.every(([name, value]) => each.values[name] === value) && words.every((word) => each.text.includes(word));
    const number = apart(() => rows.filter((each) => show(each.node, wanted(each))).length);
    shown.textContent = number === total ? named(total) : number ? number.toLocaleString("en") + " of " + named(total) : "Nothing matches";
    again.hidden = number === total;
  };

  // The column that rows are in the order of already; none where they stand in another order.
  const usual = table.dataset.order ?? "";
  let order = usual;
  const collator = new Intl.Collator("en", { numeric: true });
  const say = (key, down) => {
    for (const each of heads) {
      if (each.dataset.by === key) each.setAttribute("aria-sort", down < 0 ? "descending" : "ascending");
      else each.removeAttribute("aria-sort");
    }
  };
  const comparison = (key, down) => {
    if (!key) return (a, b) => a.place - b.place;
    const compare = counts(key) ? (a, b) => a - b : collator.compare;
    // What says nothing stands last, whichever way.
    const empty = (each) => (each.values[key] === "" ? 1 : 0);
    return (a, b) => empty(a) - empty(b) || down * compare(a.values[key], b.values[key]) || collator.compare(a.first, b.first);
  };
  const sort = (by) => {
    order = by;
    const [key, down] = by.startsWith("-") ? [by.slice(1), -1] : [by, 1];
    rows.sort(comparison(key, down));
    apart(() => {
      // One that is moved while the others stand there costs as much as there are others.
      body.replaceChildren();
      body.append(...rows.map((each) => each.node));
    });
    say(key, down);
  };

  // The address holds what is asked for, so that it can be sent to somebody.
  const write = () => {
    const asked = new URLSearchParams();
    for (const name of ["q", ...choices]) if (chosen(name)) asked.set(name, chosen(name));
    if (order !== usual) asked.set("sort", order);
    const hash = asked.toString();
    try { history.replaceState(null, "", hash ? "#" + hash : location.href.split("#")[0]); } catch { /* A page in a frame may have no address. */ }
  };
  const read = () => {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) {
      const node = document.getElementById(decodeURIComponent(hash));
      if (!node || !body.contains(node)) return;
      if (node.hidden) {
        for (const name of ["q", ...choices]) choose(name, "");
        filter();
      }
      node.scrollIntoView({ block: "center" });
      return;
    }
    const asked = new URLSearchParams(hash);
    if (hash) for (const name of ["q", ...choices]) choose(name, asked.get(name) ?? "");
    const by = asked.get("sort") ?? usual;
    if (by !== order && (!by || head(by.replace("-", "")))) sort(by);
    filter();
  };

  let waiting = 0;
  const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => { filter(); write(); }); };
  form.addEventListener("input", soon);
  form.addEventListener("reset", () => { soon(); asks.q.focus(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    read();
    // It was a link of the page to some of its rows.
    if (location.hash.includes("=")) form.scrollIntoView();
  });
  for (const each of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = each.textContent;
    each.replaceChildren(button);
    button.addEventListener("click", () => {
      // Many come first where numbers are asked for.
      const { by } = each.dataset;
      const [first, other] = counts(by) ? ["-" + by, by] : [by, "-" + by];
      sort(order === first ? other : first);
      write();
    });
  }
  if (usual) say(usual, 1);
  form.hidden = false;
  filter();
  read();
})();
